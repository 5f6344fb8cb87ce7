"""Uniformly random permutations of a layer's entries, the same on any machine and for any number of workers.

One fresh uniform permutation is drawn for each (analysis seed, step, layer), and the k-th of a layer is that one
followed by the k-th scramble of its size, fixed by the analysis seed. A uniform permutation followed by a fixed
one is uniform, and a gather costs a sixth of a shuffle. Layers too large to keep scrambles of are shuffled afresh.
"""

from __future__ import annotations

import zlib
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra.esd import Matrix

Array = NDArray[np.float64]
Key = tuple[int, int, int]

LARGEST_KEPT = 1 << 18
"""Scrambles of up to this many entries (2 MB each) are kept in memory."""


def seed_key(seed: int, step: int, name: str) -> Key:
    """What permutations depend on: analysis seed, step, and the CRC-32 of the layer's name."""
    return seed % 2**64, step % 2**64, zlib.crc32(name.encode())


class Permutations:
    """The permutations of a matrix [rows, columns] by index: `permutations[k]` has its shape and its entries."""

    def __init__(self, matrix: Matrix, key: Key) -> None:
        self.matrix = matrix
        self.key = key

    def __getitem__(self, index: int) -> Matrix:
        flat = self.matrix.ravel()
        if flat.size > LARGEST_KEPT:
            return _generator(*self.key, index).permutation(flat).reshape(self.matrix.shape)
        scramble = _scramble(self.key[0], flat.size, index)
        return self._fresh.take(scramble, mode="clip").reshape(self.matrix.shape)

    def order(self, index: int, places: slice | NDArray[np.intp] = slice(None)) -> NDArray[np.int64]:
        """The same permutation as positions: self[index].ravel() = matrix.ravel()[order]. Those at `places` alone,
        where such are given."""
        size = self.matrix.size
        if size > LARGEST_KEPT:
            return _generator(*self.key, index).permutation(size)[places]
        return self._order[_scramble(self.key[0], size, index)[places]]

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return _generator(*self.key).permutation(self.matrix.size)

    @cached_property
    def _fresh(self) -> Matrix:
        return self.matrix.ravel()[self._order]


@lru_cache(maxsize=128)
def _scramble(seed: int, size: int, index: int) -> NDArray[np.int64]:
    return _generator(seed, size, index, 0).permutation(size)


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key))
