"""What a format's reader yields: one checkpoint's tensors by name, each read when it is asked for.

The contract between the readers (one small file a format) and the trajectories that are made of them:

    sniff(path) -> str | None              the format of a file, or of a folder that is one checkpoint
    read_tensors(path) -> Tensors          one checkpoint, opened: names, shapes and dtypes, no tensor read yet
    read_many(path) -> Sequence[Tensors] | None    one file with several checkpoints, else None
    layers_of(tensors) -> (layers, left out)       which tensors, or slices of them, are layers
    metrics_of(tensors.extra) -> {metric: value}   what a checkpoint says of its own accuracy and loss
    read_metrics(path) -> {step: {metric: value}}  a table of metrics beside the checkpoints

All are names of `grokscope.importers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from grokscope.floats import CODES, widened

__all__ = ["CODES", "LayerSource", "Tensors", "widened"]


class Tensors(Protocol):
    """One checkpoint as its format's reader yields it.

    `extra` holds the scalars, texts and lists of numbers that lie beside the tensors, flat, under their own names
    joined by dots: `global_step`, `epoch`, `val_loss`, `config.n_layer`. Of one of several checkpoints in a file
    only its own: `step` or `epoch` from its label, and each curve's value at this checkpoint.
    """

    @property
    def path(self) -> Path:
        """The file or folder that was opened."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that holds a part of the tensors."""

    @property
    def extra(self) -> Mapping[str, object]:
        """Plain values beside the tensors."""

    def names(self) -> list[str]:
        """Names of the tensors, in the order of the file."""

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape."""

    def dtype(self, name: str) -> str:
        """A tensor's dtype as it is stored: `float32`, `bfloat16`, `float8_e4m3fn`, `int8`, ...

        Those in CODES are read as integers; every other is a dtype of NumPy.
        """

    def read(self, name: str) -> NDArray[Any]:
        """Return a tensor as it is stored."""

    def crc32(self) -> int | None:
        """Return a CRC of the contents where the format keeps one (zip) and none has to be computed; else None."""

    def close(self) -> None:
        """Let go of the files; arrays that were read stay valid."""


@dataclass(frozen=True)
class LayerSource:
    """One layer of a checkpoint: where its weight comes from, and how.

    `shape` is that of the weight as it is measured, [out, in, ...]; `dtype` that of what `weight` returns (a key
    of CODES: its codes). `bias`, of one number an output, comes with it where there is one. `note` is a doubt that
    the reader should know: "may be an embedding".
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str
    weight: Callable[[Tensors], NDArray[Any]]
    bias: Callable[[Tensors], NDArray[Any]] | None = None
    note: str = ""
