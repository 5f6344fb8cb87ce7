"""A matrix of a checkpoint on its way to a layer: which tensors it is made of, and how."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.importers.tensors import Tensors, widened

Read = Callable[[Tensors], NDArray[Any]]
FLOATS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


@dataclass(frozen=True)
class Part:
    """A tensor, or what was made of several: `read` returns it in `dtype` (the codes of a float NumPy lacks).

    `place` is its number among the tensors of the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Read
    identity: object = None
    parameter: bool | None = None
    layout: str = ""
    note: str = ""
    place: int = 0

    @property
    def is_weight(self) -> bool:
        """Whether it is the weight of a module by its name, and no parameter of its own."""
        return re.search(r"(^|\.)(weight|kernel)$", self.name) is not None

    @property
    def long_axes(self) -> tuple[int, ...]:
        """The lengths of its axes but those of 1."""
        return tuple(length for length in self.shape if length > 1)

    def with_note(self, note: str) -> Part:
        """Return the same part with one more thing to know."""
        return dataclasses.replace(self, note=f"{self.note}; {note}" if self.note else note)

    def moved(self, shape: tuple[int, ...], move: Callable[[NDArray[Any]], NDArray[Any]], **changed: Any) -> Part:
        """Return what `move`, which copies or computes no number, makes of the array."""
        read = self.read
        return dataclasses.replace(self, shape=shape, read=lambda tensors: move(read(tensors)), **changed)

    def turned(self) -> Part:
        """Return the part with its first two axes exchanged."""
        first, second, *rest = self.shape
        return self.moved((second, first, *rest), lambda array: array.swapaxes(0, 1))

    def sliced(self, first: int, last: int, name: str) -> Part:
        """Return some of the rows, under a name of their own."""
        return self.moved(
            (last - first, *self.shape[1:]), lambda array: array[first:last], name=name, identity=None
        )


def parts_of(tensors: Tensors, names: Mapping[str, str]) -> list[Part]:
    """Make a part of every tensor of `names`, which maps them to what they are called."""
    stored = getattr(tensors, "tensors", {})
    parts = []
    for place, (name, called) in enumerate(names.items()):
        known = stored.get(name)
        part = Part(called, tuple(tensors.shape(name)), tensors.dtype(name), partial(_read, name), place=place)
        if known is not None:
            part = dataclasses.replace(
                part, identity=known.identity, parameter=known.parameter, layout=known.layout
            )
        parts.append(part)
    return parts


def _read(name: str, tensors: Tensors) -> NDArray[Any]:
    return tensors.read(name)


def numbers(part: Part, tensors: Tensors) -> NDArray[Any]:
    """Return a part as numbers to compute with: float32, or float64 where it is stored so."""
    values = widened(part.read(tensors), part.dtype)
    return values.astype(np.float64 if values.dtype == np.float64 else np.float32, copy=False)


def computed(part: Part, used: Iterable[Part], compute: Callable[..., NDArray[Any]], **changed: Any) -> Part:
    """Return what `compute(weight, *used)` makes of numbers, as a part in float32 or float64."""
    others = tuple(used)
    dtype = "float64" if "float64" in (part.dtype, *(other.dtype for other in others)) else "float32"

    def read(tensors: Tensors) -> NDArray[Any]:
        made = compute(numbers(part, tensors), *(numbers(other, tensors) for other in others))
        return made.astype(dtype, copy=False)

    return dataclasses.replace(part, dtype=dtype, read=read, identity=None, **changed)
