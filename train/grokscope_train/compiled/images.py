"""Images as their nonzero pixels, to be multiplied by the weights of a first layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.compiled.jit import compiled
from grokscope_train.compiled.sparse import add_scaled_rows

DENSE = 0.4  # fraction of nonzero pixels from which a dense product is faster
Array = NDArray[Any]


class SparseImages:
    """Rows of pixels [n, pixels] of which the nonzeros are kept: `pixel` and `value`, row by row, ascending."""

    def __init__(self, shape: tuple[int, int], start: Array, pixel: Array, value: Array) -> None:
        """Take [n + 1] places where each image's nonzeros start, and the nonzeros; use `of`."""
        self.shape, self.start, self.pixel, self.value = shape, start, pixel, value

    @classmethod
    def of(cls, pixels: Array, dtype: np.dtype[Any]) -> SparseImages:
        """Keep the nonzeros of dense rows."""
        image, pixel = np.nonzero(pixels)
        start = np.searchsorted(image, np.arange(len(pixels) + 1))
        # unsigned, so that compiled code need not look whether a place is counted from the end
        return cls(
            pixels.shape, start.astype(np.uint32), pixel.astype(np.uint32), pixels[image, pixel].astype(dtype)
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> SparseImages:
        """Return some images in a row, sharing memory."""
        first, last, _ = rows.indices(len(self))
        return SparseImages((last - first, self.shape[1]), self.start[first : last + 1], self.pixel, self.value)

    def __matmul__(self, weights: Array) -> Array:
        """Multiply by weights [pixels, out]; returns [n, out]."""
        products = np.zeros((len(self), weights.shape[1]), weights.dtype)
        multiply(self.start, self.pixel, self.value, np.ascontiguousarray(weights), products)
        return products


def is_sparse(pixels: Array) -> bool:
    """Tell whether so many pixels are zero that leaving them out is faster."""
    return bool(np.count_nonzero(pixels) <= DENSE * pixels.size)


@compiled
def multiply(start: Array, pixel: Array, value: Array, weights: Array, products: Array) -> None:
    """Add each image's product with the weights [pixels, out] to its row of products [n, out]."""
    for i in range(len(products)):
        add_scaled_rows(weights, 0, pixel, value, start[i], start[i + 1], products[i])
