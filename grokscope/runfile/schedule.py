"""Which steps are worth a checkpoint: evenly spaced on a logarithmic axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError


def log_steps(last: int, per_decade: int, first: int = 1) -> NDArray[np.int64]:
    """Return 0, the steps round(10^(k / per_decade)) from `first` on for k = 0, 1, …, and `last`, without repeats.

    int64 [T], ascending. Raises UsageError where `last` is negative, or `per_decade` or `first` is below 1.
    """
    if last < 0:
        raise UsageError(f"the number of steps is {last}; give 0 or more")
    if per_decade < 1:
        raise UsageError(f"checkpoints per decade is {per_decade}; give 1 or more")
    if first < 1:
        raise UsageError(f"the first checkpoint after step 0 is {first}; give 1 or more")
    if last == 0:
        return np.zeros(1, dtype=np.int64)
    exponents = np.arange(int(np.log10(last) * per_decade) + 2) / per_decade
    spaced = np.round(10.0**exponents).astype(np.int64)
    return np.unique(np.concatenate([[0], spaced[(spaced >= first) & (spaced < last)], [last]])).astype(np.int64)
