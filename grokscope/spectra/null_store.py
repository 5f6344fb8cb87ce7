"""Where laws of noise are kept between runs: small archives of arrays, shipped or in the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHIPPED = Path(__file__).parent / "nulls"
"""The laws of the paper's three layers, as `null.simulate` draws them, so that a first analysis need not wait."""


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/grokscope, or ~/.cache/grokscope."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "grokscope"
    try:
        return Path.home() / ".cache" / "grokscope"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "grokscope"


def load(path: Path) -> dict[str, Array]:
    """The finite arrays of an archive by name; empty where there is none or it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name], dtype=np.float64) for name in stored.files}
    except Exception:  # a torn archive raises a zoo of errors; all of them mean: draw it again
        return {}
    return arrays if all(np.isfinite(array).all() for array in arrays.values()) else {}


def store(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write atomically; a folder that refuses is no error, the law is drawn again next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".npz", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
