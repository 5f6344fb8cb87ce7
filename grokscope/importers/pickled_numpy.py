"""NumPy's arrays and scalars, as pickles describe them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.importers.pickled_values import Name, Stub

ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
PLAIN_KINDS = "biufc"


def unpickled(stub: Stub) -> NDArray[Any] | np.generic | None:
    """Return the array or scalar that a stub stands for; None where it stands for neither, or for objects."""
    try:
        if stub.name in SCALAR:
            kind, data = stub.arguments
            return _array(kind, data, ())[()]
        if stub.name in BUFFER:
            data, kind, shape, order = stub.arguments
            return _array(kind, data, shape, order == "F")
        if stub.name in ARRAY and isinstance(stub.state, tuple):
            _, shape, kind, fortran, data = stub.state
            return _array(kind, data, shape, fortran)
    except (ValueError, TypeError, AttributeError):
        return None
    return None


def _array(kind: Any, data: Any, shape: Any, fortran: bool = False) -> NDArray[Any]:
    if not isinstance(data, bytes):
        raise TypeError("a list of objects")
    return np.frombuffer(data, dtype=_dtype(kind)).reshape(shape, order="F" if fortran else "C")


def _dtype(kind: Any) -> np.dtype[Any]:
    if isinstance(kind, Name):  # numpy.float64 instead of its dtype
        kind = Stub("numpy.dtype", (kind.name.rpartition(".")[2],))
    dtype = np.dtype(str(kind.arguments[0]))
    if dtype.kind not in PLAIN_KINDS:
        raise TypeError("no numbers")
    return dtype.newbyteorder(kind.state[1]) if isinstance(kind.state, tuple) else dtype
