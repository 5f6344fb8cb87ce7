"""The engine of the compiled steps: NumPy's arrays, and threads that share the work of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled.images import SparseImages, is_sparse
from grokscope_train.engines.base import Item, Result
from grokscope_train.engines.numpy_engine import NumpyEngine


class CompiledEngine(NumpyEngine):
    """Arrays of NumPy, a BLAS of one thread, and `threads` threads that call it."""

    name = "compiled"

    def __init__(self, dtype: str, threads: int) -> None:
        """Limit every BLAS of this process to one thread, from now on."""
        import scipy.linalg.cython_blas  # noqa: F401  (the BLAS that it brings has to be loaded to be limited)

        super().__init__(dtype, 1)
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def images(self, pixels: NDArray[np.float64]) -> Any:
        """Copy images [n, pixels], as their nonzeros alone where that is faster."""
        return SparseImages.of(pixels, self.dtype) if is_sparse(pixels) else self.array(pixels)

    def on_all_threads(self, share: Callable[[int], None]) -> None:
        """Call `share(thread)` on every thread at once, and return when all have returned."""
        others = [self._pool.submit(share, thread) for thread in range(1, self.threads)]
        share(0)
        for other in others:
            other.result()

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to every item, several at once."""
        return list(self._pool.map(function, items))
