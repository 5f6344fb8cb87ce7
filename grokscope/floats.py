"""Floats that NumPy does not know: their codes, and the numbers that these stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CODES = {"bfloat16": "<u2", "float8_e4m3fn": "u1", "float8_e5m2": "u1"}
"""As which integers their codes are read and stored."""

NAN_CODES = {"bfloat16": 0x7FC0, "float8_e4m3fn": 0x7F, "float8_e5m2": 0x7E}


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
