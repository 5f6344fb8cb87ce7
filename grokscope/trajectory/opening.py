"""One way in: whatever lies at a path, as a trajectory."""

from __future__ import annotations

from pathlib import Path

from grokscope.runfile import Run
from grokscope.trajectory.protocol import Trajectory


def open_trajectory(path: str | Path) -> Trajectory:
    """Open what lies at a path.

    Raises BadRunFile or UsageError, in one sentence, where it holds no checkpoint that can be read.
    """
    return Run(path)
