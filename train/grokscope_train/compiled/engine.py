"""The engine of the compiled steps: NumPy's arrays, and threads that share the work of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from grokscope_train.engines.numpy_engine import NumpyEngine

Item = TypeVar("Item")
Result = TypeVar("Result")


class CompiledEngine(NumpyEngine):
    """Arrays of NumPy, a BLAS of one thread, and `threads` threads that call it."""

    name = "compiled"

    def __init__(self, dtype: str, threads: int) -> None:
        """Limit every BLAS of this process to one thread, from now on."""
        import scipy.linalg.cython_blas  # noqa: F401  (the BLAS that it brings has to be loaded to be limited)

        super().__init__(dtype, 1)
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def on_all_threads(self, share: Callable[[int], None]) -> None:
        """Call `share(thread)` on every thread at once, and return when all have returned."""
        others = [self._pool.submit(share, thread) for thread in range(1, self.threads)]
        share(0)
        for other in others:
            other.result()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Apply a function to every item, several at once."""
        return list(self._pool.map(function, items))
