"""What evaluating a network asks of an array library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = Any  # a numpy array or a torch tensor
Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """An array library in one dtype, on one device, with a fixed number of threads.

    `xp` is its namespace (numpy or torch) for elementwise functions with `out=`.
    """

    name: str
    device: str
    threads: int
    xp: ModuleType

    def array(self, values: NDArray[np.generic]) -> Array:
        """Copy values into a new aligned array; floating values take the engine's dtype, integers stay int64."""

    def images(self, pixels: NDArray[np.float64]) -> Array:
        """Copy images [n, pixels] into what can be sliced and multiplied by weights [pixels, out]."""

    def to_numpy(self, array: Array) -> NDArray[Any]:
        """Return the values in a numpy array, perhaps sharing memory."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to every item, where the engine has threads of its own several at once."""
