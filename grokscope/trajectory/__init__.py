"""Checkpoints over steps: a run file, a folder of anyone's checkpoints, or a single model, read alike."""

from typing import TYPE_CHECKING

from grokscope.lazy import lazy_names
from grokscope.runfile import LeftOut
from grokscope.trajectory.damage import find_damaged
from grokscope.trajectory.opening import Opening
from grokscope.trajectory.place import Place, apart, open_trajectory
from grokscope.trajectory.protocol import Trajectory, is_single

if TYPE_CHECKING:
    from grokscope.trajectory.checkpoints import Checkpoints

__getattr__ = lazy_names(__name__, {"Checkpoints": "grokscope.trajectory.checkpoints"})  # run files do not need it

__all__ = [
    "Checkpoints",
    "LeftOut",
    "Opening",
    "Place",
    "Trajectory",
    "apart",
    "find_damaged",
    "is_single",
    "open_trajectory",
]
