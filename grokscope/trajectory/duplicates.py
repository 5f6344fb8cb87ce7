"""Checkpoints of different steps that hold the same weights: a copy, or a training that stood still."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from grokscope.errors import DamagedCheckpoint
from grokscope.runfile.preallocated import raw_bytes
from grokscope.trajectory.protocol import Trajectory
from grokscope.turns import in_turns


def duplicates(trajectory: Trajectory) -> list[tuple[int, ...]]:
    """Return groups of checkpoints, by index, whose layers are equal bit for bit; most runs have none.

    The smallest layer is read of all, a larger one only of those that are equal so far.
    """
    groups = [tuple(range(trajectory.num_checkpoints))]
    for layer in sorted(trajectory.layers, key=lambda layer: int(np.prod(layer.shape, dtype=np.int64))):
        groups = [same for group in groups for same in _alike(trajectory, group, layer.name)]
    return groups if trajectory.num_checkpoints > 1 else []


def same_weights(trajectory: Trajectory) -> list[str]:
    """Say of each group of equal checkpoints which steps they are."""
    return [
        f"the same weights at steps {' and '.join(f'{step:,}' for step in trajectory.steps[list(group)])}"
        for group in duplicates(trajectory)
    ]


def _alike(trajectory: Trajectory, group: Iterable[int], layer: str) -> list[tuple[int, ...]]:
    by_content: dict[tuple[int, int], list[int]] = {}
    for index in in_turns(group):
        try:
            content = raw_bytes(trajectory.weight(index, layer))
        except DamagedCheckpoint:  # equal to none
            continue
        by_content.setdefault((zlib.crc32(content), zlib.adler32(content)), []).append(index)
    return [tuple(indices) for indices in by_content.values() if len(indices) > 1]
