"""One axis: what it measures, where a value lies between its ends, and the round values that get a label."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.numbers import compact, count, number, percent_sign, power_of_ten, probability

Array = NDArray[np.float64]
Scale = Literal["linear", "log"]
Form = Literal["number", "percent", "count", "p"]
"""How a value is spelled: a share as a percentage, a count in as few digits as it has, a p-value as one."""


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, in the data's units, with its label and unit in words."""

    label: str
    scale: Scale = "linear"
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    form: Form = "number"
    start: str = ""
    """What the left end is called where it stands for something else: 0, which a logarithm can't show."""

    @property
    def log(self) -> bool:
        """Whether it is logarithmic."""
        return self.scale == "log"

    @property
    def title(self) -> str:
        """The label with its unit in brackets."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

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

    def spell(self, value: float, draws: int = 0) -> str:
        """A value on the axis as a person reads it; a p-value with the bound that so many draws set."""
        if self.form == "percent":
            return percent_sign(value)
        if self.form == "p":
            return probability(value, draws)
        return count(value) if self.form == "count" else number(value)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """At most `most` round values on the axis with their labels, two or more where `most` is three or more."""
        if self.start and most > 1:
            return [(self.low, self.start), *replace(self, start="").ticks(most - 1)]
        whole = self.form == "count"
        values = (
            log_ticks(self.low, self.high, most) if self.log else linear_ticks(self.low, self.high, most, whole)
        )
        if self.form == "percent":
            return [(v, f"{100 * v:.4g} %") for v in values]
        powers = self.log and len(values) > 0 and min(values) < 0.01 and all(map(is_decade, values))
        return [(v, power_of_ten(round(math.log10(v))) if powers else compact(v)) for v in values]


def axis_over(
    label: str,
    values: ArrayLike,
    *,
    scale: Scale = "linear",
    padding: float = 0.04,
    include: tuple[float, ...] = (),
    unit: str = "",
) -> Axis:
    """The axis that shows every finite value (every positive one when logarithmic), with a little room around."""
    log = scale == "log"
    data = np.concatenate([np.ravel(np.asarray(values, dtype=np.float64)), np.asarray(include, dtype=np.float64)])
    data = data[np.isfinite(data) & ((data > 0) | (not log))]
    if not len(data):
        return Axis(label, scale, 0.1 if log else 0.0, 10.0 if log else 1.0, unit)
    low, high = float(data.min()), float(data.max())
    if log:
        span = max(math.log10(high) - math.log10(low), 0.02)
        lowest, highest = math.log10(low) - padding * span, math.log10(high) + padding * span
        return Axis(label, scale, 10 ** max(lowest, -300.0), 10 ** min(highest, 300.0), unit)
    span = high - low or abs(high) * 0.1 or 1.0
    return Axis(label, scale, low - padding * span, high + padding * span, unit)


def to_the_frame(across: Array, up: Array) -> tuple[Array, Array]:
    """A line through places on two axes, float64 [n] each, with a point more where it crosses the second's ends.

    Who draws no further than the last point inside then draws up to the frame.
    """
    for end in (0.0, 1.0):
        with np.errstate(invalid="ignore"):
            sides = (up[:-1] - end) * (up[1:] - end)
        before = np.flatnonzero((sides < 0) & np.isfinite(sides))
        share = (end - up[before]) / (up[before + 1] - up[before])
        across = np.insert(across, before + 1, across[before] + share * (across[before + 1] - across[before]))
        up = np.insert(up, before + 1, end)
    return across, up


def is_decade(value: float) -> bool:
    """Tell whether a value is a power of ten."""
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6


def linear_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Return at most `most` round values from `low` to `high`, as near to each other as that allows; of counts
    whole numbers alone."""
    span = high - low
    if most < 1 or not math.isfinite(span) or span <= 0:
        return []
    power = max(10.0 ** math.floor(math.log10(span / most / 2)), float(whole))
    for step in (power * m for m in (1, 2, 2.5, 5, 10, 20, 25, 50, 100)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most and (step == round(step) or not whole):
            return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]
    return []


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round values from `low` to `high`: decades where there are two, with 2 and 5 or 3
    between them where there is room."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    decades = list(range(first, last + 1))
    if most < 1:
        return []
    several = len(decades) >= 2 or (len(decades) == 1 and most < 3)
    if len(decades) <= most:
        for mantissas in SEVERAL if several else FEW:
            values = [m * 10.0**k for k in range(first - 1, last + 1) for m in mantissas]
            inside = [v for v in values if low <= v <= high]
            if 2 <= len(inside) <= most:
                return inside
    if several:
        stride = -(-len(decades) // most)
        return [10.0**k for k in decades if k % stride == 0]
    return [v for v in linear_ticks(low, high, most) if v > 0]


SEVERAL = ((1.0, 2.0, 5.0), (1.0, 3.0))
FEW = ((1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), *SEVERAL)
"""Parts of a decade that get a label, as many as there is room for: over several decades, and over less."""
