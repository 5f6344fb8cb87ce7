"""Memory that one layer leaves to the next, where the C library would give it back between them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LARGEST_REUSED = 1 << 24
"""Bytes of the largest array whose memory is used again."""


@lru_cache(maxsize=1)
def reuse_freed_memory() -> None:
    """Let the C library keep up to twice LARGEST_REUSED of freed memory: pages that the kernel clears anew for
    each layer take a fourteenth of the time of a small one.

    glibc's thresholds follow the largest block that it has seen freed (mallopt(3), M_MMAP_THRESHOLD), so one such
    block is asked for and freed, untouched; other libraries pass it by.
    """
    np.empty(LARGEST_REUSED, dtype=np.uint8)
