"""The engine of the compiled steps: NumPy's arrays, and threads that share the work of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (the BLAS that it brings has to be loaded to be limited)
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from grokscope_train.compiled.images import SparseImages, is_sparse
from grokscope_train.engines.base import Item, Result

ALIGNMENT = 64  # bytes: with one alignment, vector loops split every array alike, and results repeat bit by bit


class CompiledEngine:
    """Arrays of NumPy, a BLAS of one thread, and `threads` threads that call it."""

    name = "compiled"
    device = "cpu"
    xp: ModuleType = np

    def __init__(self, dtype: str, threads: int) -> None:
        """Limit every BLAS of this process to one thread, from now on."""
        self.dtype = np.dtype(dtype)
        self.threads = threads
        self._limits = threadpool_limits(1)
        self._pool = ThreadPoolExecutor(threads)

    def array(self, values: NDArray[np.generic]) -> NDArray[Any]:
        """Copy values into a new aligned array."""
        dtype = np.dtype(np.int64) if values.dtype.kind in "iu" else self.dtype
        memory = np.empty(values.size * dtype.itemsize + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        array = memory[start : start + values.size * dtype.itemsize].view(dtype).reshape(values.shape)
        array[...] = values
        return array

    def images(self, pixels: NDArray[np.float64]) -> Any:
        """Copy images [n, pixels], as their nonzeros alone where that is faster."""
        return SparseImages.of(pixels, self.dtype) if is_sparse(pixels) else self.array(pixels)

    def to_numpy(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array itself."""
        return array

    def on_all_threads(self, share: Callable[[int], None]) -> None:
        """Call `share(thread)` on every thread at once, and return when all have returned."""
        others = [self._pool.submit(share, thread) for thread in range(1, self.threads)]
        share(0)
        for other in others:
            other.result()

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to every item, several at once."""
        return list(self._pool.map(function, items))
