"""Which checkpoints of a trajectory are not the ones that were written."""

from __future__ import annotations

from collections.abc import Iterable

from grokscope.errors import DamagedCheckpoint
from grokscope.trajectory.protocol import Trajectory


def find_damaged(trajectory: Trajectory, indices: Iterable[int] | None = None) -> dict[int, str]:
    """Verify checkpoints, all by default; return a sentence for each that is damaged: its metrics are then NaN.

    Every byte is read: a second for some gigabytes.
    """
    found = {}
    for index in range(trajectory.num_checkpoints) if indices is None else indices:
        try:
            trajectory.verify(index)
        except DamagedCheckpoint as error:
            found[index] = str(error)
    return found
