"""Checkpoints over steps: a run file, a folder of anyone's checkpoints, or a single model, read alike."""

from grokscope.runfile import LeftOut
from grokscope.trajectory.checkpoints import Checkpoints, Opening
from grokscope.trajectory.damage import find_damaged
from grokscope.trajectory.opening import Place, open_trajectory
from grokscope.trajectory.protocol import Trajectory, is_single

__all__ = [
    "Checkpoints",
    "LeftOut",
    "Opening",
    "Place",
    "Trajectory",
    "find_damaged",
    "is_single",
    "open_trajectory",
]
