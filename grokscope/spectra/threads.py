"""Several threads at one matrix, which they share; each with a BLAS of one thread, so that bytes stay the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def in_threads(work: Callable[[Item], Done], items: Iterable[Item], threads: int) -> list[Done]:
    """`work` of every item, in their order. Where one fails or is interrupted, no further one begins."""
    if threads == 1:
        return [work(item) for item in items]
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
