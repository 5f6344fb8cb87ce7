"""The run file: what only a training process can know, in one HDF5 file that a crash cannot tear."""

from grokscope.runfile.layout import LayerSpec, LeftOut
from grokscope.runfile.liveness import Liveness
from grokscope.runfile.reader import Run
from grokscope.runfile.schedule import log_steps
from grokscope.runfile.writer import RunWriter

__all__ = ["LayerSpec", "LeftOut", "Liveness", "Run", "RunWriter", "log_steps"]
