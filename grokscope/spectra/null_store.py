"""Where laws of noise are kept between runs: small archives of arrays, shipped or in the user's cache folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.files import write_to_cache

Array = NDArray[np.float64]

SHIPPED = Path(__file__).parent / "nulls"
"""The laws of the paper's three layers, as `null.simulate` draws them, so that a first analysis need not wait."""


def load(path: Path) -> dict[str, Array]:
    """The finite arrays of an archive by name; empty where there is none or it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name], dtype=np.float64) for name in stored.files}
    except Exception:  # a torn archive raises a zoo of errors; all of them mean: draw it again
        return {}
    return arrays if all(np.isfinite(array).all() for array in arrays.values()) else {}


def store(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an archive; where its folder refuses, the law is drawn again next time."""
    archive = io.BytesIO()
    np.savez_compressed(archive, **arrays)  # type: ignore[arg-type]
    write_to_cache(path, archive.getvalue())
