"""NumPy alone (usually OpenBLAS): starts in a fifth of a second, and has the least overhead on small networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from grokscope_train.engines.base import Action, Item, Result
from grokscope_train.optimizer import Hyperparameters, NumpyUpdate

ALIGNMENT = 64  # bytes: with one alignment, vector loops split every array alike, and results repeat bit by bit


class NumpyEngine:
    """Arrays of NumPy on the CPU."""

    name = "numpy"
    device = "cpu"
    xp: ModuleType = np

    def __init__(self, dtype: str, threads: int) -> None:
        """Limit the BLAS that NumPy is linked with to `threads` threads, from now on."""
        self.dtype = np.dtype(dtype)
        self.threads = threads
        self._limits = threadpool_limits(threads)

    def array(self, values: NDArray[np.generic]) -> NDArray[Any]:
        """Copy values into a new aligned array."""
        dtype = np.dtype(np.int64) if values.dtype.kind in "iu" else self.dtype
        memory = np.empty(values.size * dtype.itemsize + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        array = memory[start : start + values.size * dtype.itemsize].view(dtype).reshape(values.shape)
        array[...] = values
        return array

    def images(self, pixels: NDArray[np.float64]) -> Any:
        """Copy images into a new array."""
        return self.array(pixels)

    def to_numpy(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array itself."""
        return array

    def product(self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> Action:
        """Bind a @ b into `out`."""
        return partial(np.matmul, a, b, out=out)

    def take(self, source: NDArray[Any], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copy rows; `clip` spares the bounds check that would buffer the output."""
        source.take(rows, 0, out, "clip")

    def optimizer(
        self,
        name: str,
        parameters: NDArray[Any],
        gradient: NDArray[Any],
        first: NDArray[Any],
        second: NDArray[Any],
        hyper: Hyperparameters,
    ) -> NumpyUpdate:
        """Bind the in-place update."""
        return NumpyUpdate(name, parameters, gradient, first, second, hyper)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to one item after another: the library has threads of its own."""
        return [function(item) for item in items]
