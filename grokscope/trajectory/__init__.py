"""Checkpoints over steps: a run file, a folder of anyone's checkpoints, or a single model, read alike."""

from grokscope.runfile import LeftOut
from grokscope.trajectory.opening import open_trajectory
from grokscope.trajectory.protocol import Trajectory

__all__ = ["LeftOut", "Trajectory", "open_trajectory"]
