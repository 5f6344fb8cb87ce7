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

import numpy as np
from numpy.typing import NDArray

CODES = {"bfloat16": "<u2", "float8_e4m3fn": "u1", "float8_e5m2": "u1"}
"""Floats that NumPy does not know, and as which integers their codes are read."""


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
        """Return a tensor as it is stored, mapped from the file where the format allows."""

    def crc32(self) -> int | None:
        """Return a CRC of the contents where the format keeps one (zip) and none has to be computed; else None."""

    def close(self) -> None:
        """Let go of the files; arrays that were read stay valid."""


@dataclass(frozen=True)
class LayerSource:
    """One layer of a checkpoint: where its weight comes from, and how.

    `shape` is that of the weight as it is measured, [out, in, ...]; `dtype` that of what `weight` returns (a key
    of CODES: its codes). `bias`, of one value an output, comes with it where there is one. `note` is a doubt that
    the reader should know: "may be an embedding".
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str
    weight: Callable[[Tensors], NDArray[Any]]
    bias: Callable[[Tensors], NDArray[Any]] | None = None
    note: str = ""


def widened(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Turn codes into the numbers that they stand for, exactly; any other array is returned as it is.

    bfloat16 becomes float32 (it is its upper half), the 8-bit floats become float16, which holds all their values.
    """
    if dtype == "bfloat16":
        return (array.astype("<u4") << 16).view("<f4")
    if dtype == "float8_e5m2":  # the upper half of a float16
        return (array.astype("<u2") << 8).view("<f2")
    if dtype == "float8_e4m3fn":
        return np.asarray(_E4M3[array])
    return array


def _e4m3_values() -> NDArray[np.float16]:
    """Value of each of the 256 codes: sign, 4 bits of exponent (bias 7), 3 of fraction; 0x7f is NaN."""
    code = np.arange(256)
    exponent, fraction = (code >> 3) & 15, code & 7
    value = np.where(exponent > 0, (1 + fraction / 8) * 2.0 ** (exponent - 7), fraction / 8 * 2.0**-6)
    value[(code & 127) == 127] = np.nan
    return np.asarray(np.where(code & 128, -value, value), dtype=np.float16)


_E4M3 = _e4m3_values()
