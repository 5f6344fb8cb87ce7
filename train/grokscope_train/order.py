"""The order of the training images: a function of (seed, epoch) alone, so that any epoch can be replayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER_STREAM = 2  # keeps these draws apart from those of the initialisation and of the training images


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the permutation of `count` training images in this epoch, int64 [count]."""
    return np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(count)


def epoch_orders(seeds: Sequence[int], epoch: int, count: int) -> NDArray[np.int64]:
    """Return the permutations of several seeds, int64 [len(seeds), count]."""
    return np.stack([epoch_order(seed, epoch, count) for seed in seeds])
