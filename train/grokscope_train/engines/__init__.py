"""What training computes with, behind one small interface: PyTorch, or steps compiled for this processor."""

from grokscope_train.engines.base import Engine
from grokscope_train.engines.make import make_engine, spin_briefly

__all__ = ["Engine", "make_engine", "spin_briefly"]
