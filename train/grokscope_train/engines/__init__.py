"""Array libraries behind one small interface, so that the training step is written once."""

from grokscope_train.engines.base import Engine
from grokscope_train.engines.make import make_engine, spin_briefly

__all__ = ["Engine", "make_engine", "spin_briefly"]
