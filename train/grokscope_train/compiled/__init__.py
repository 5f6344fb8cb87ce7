"""Whole training steps compiled to machine code, for the processor that they run on. Needs Numba."""

from grokscope_train.compiled.engine import CompiledEngine
from grokscope_train.compiled.step import CompiledSteps

__all__ = ["CompiledEngine", "CompiledSteps"]
