"""One axis: where a value lies between its ends, and the round values that get a label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.figures.axis import is_decade, linear_ticks, log_ticks
from grokscope.numbers import compact, power_of_ten


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, in the data's units."""

    low: float
    high: float
    log: bool = False

    def position(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where the values lie, 0 at `low` and 1 at `high`; NaN for what a logarithm can't show."""
        data = np.asarray(values, dtype=np.float64)
        if not self.log:
            return (data - self.low) / (self.high - self.low)
        logs = np.full(data.shape, np.nan)
        np.log10(data, out=logs, where=data > 0)
        return (logs - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))

    def value(self, position: float) -> float:
        """The value at a position between 0 and 1."""
        if not self.log:
            return self.low + position * (self.high - self.low)
        return float(10 ** (math.log10(self.low) + position * (math.log10(self.high) - math.log10(self.low))))

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """At most `most` round values on the axis with their labels: decades when logarithmic."""
        values = log_ticks(self.low, self.high, most) if self.log else linear_ticks(self.low, self.high, most)
        powers = self.log and len(values) > 0 and min(values) < 0.01 and all(map(is_decade, values))
        return [(v, power_of_ten(round(math.log10(v))) if powers else compact(v)) for v in values]


def axis_over(values: ArrayLike, *, log: bool, padding: float = 0.04, include: tuple[float, ...] = ()) -> Axis:
    """The axis that shows every finite value (every positive one when logarithmic), with a little room around."""
    data = np.concatenate([np.ravel(np.asarray(values, dtype=np.float64)), np.asarray(include, dtype=np.float64)])
    data = data[np.isfinite(data) & ((data > 0) | (not log))]
    if not len(data):
        return Axis(0.1, 10.0, True) if log else Axis(0.0, 1.0)
    low, high = float(data.min()), float(data.max())
    if log:
        span = max(math.log10(high) - math.log10(low), 0.02)
        lowest, highest = math.log10(low) - padding * span, math.log10(high) + padding * span
        return Axis(10 ** max(lowest, -300.0), 10 ** min(highest, 300.0), True)
    span = high - low or abs(high) * 0.1 or 1.0
    return Axis(low - padding * span, high + padding * span)
