"""A figure as plain data: axes and marks in the data's own units, with what each mark is and stands for.

Whoever draws it, in a terminal or on paper, computes no number: what is shown is what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What every mark has: `label` names it for a reader, `role` says what it stands for, which gives its colour.

    Roles: train, test, bars, tail, fit, edge, trap, mark, faint, reference; layer0, layer1, …; run0, run1, …;
    pre-grokking, grokking, anti-grokking, undecided, unknown; "undecided layer0", …: what decides nothing.
    """

    label: str = ""
    role: str = "bars"


@dataclass(frozen=True, eq=False)
class Bars(Mark):
    """A histogram: edges float64 [n + 1], heights float64 [n], NaN where there is no bar."""

    edges: Array
    heights: Array


@dataclass(frozen=True, eq=False)
class Curve(Mark):
    """A line through x and y, float64 [n] each; NaN breaks it."""

    x: Array
    y: Array


@dataclass(frozen=True, eq=False)
class Points(Mark):
    """Points at x and y, float64 [n] each, each with a name (a trap's cause), or without."""

    x: Array
    y: Array
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Band(Mark):
    """What lies between low and high, float64 [n] each, over x: an interval or a spread; NaN breaks it."""

    x: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Span(Mark):
    """A stretch of the x axis, such as a phase."""

    x0: float
    x1: float


@dataclass(frozen=True)
class VLine(Mark):
    """A vertical line at an x value."""

    at: float


@dataclass(frozen=True)
class HLine(Mark):
    """A horizontal line at a y value."""

    at: float


@dataclass(frozen=True, eq=False)
class Heatmap(Mark):
    """A value a cell: x_edges float64 [n + 1], values float64 [m, n], NaN where unknown.

    Rows lie between y_edges float64 [m + 1], ascending; or have names, m of them, and lie between 0, 1, … m.
    `low` and `high` are the values at the ends of the colour scale, logarithmic where `log`.
    """

    x_edges: Array
    y_edges: Array
    values: Array
    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()

    def levels(self, count: int) -> NDArray[np.intp]:
        """The level of every cell: 0 (lowest) to count − 1; −1 where it is unknown, or nothing."""
        low, high, values = self.low, self.high, self.values
        nothing = (values == 0) & (low == 0)
        if self.log:
            low, high = float(np.log(low)), float(np.log(high))
            values = np.log(np.where(values > 0, values, np.nan))
        share = (values - low) / ((high - low) or 1.0)
        levels = np.clip(np.nan_to_num(share) * count, 0, count - 1).astype(np.intp)
        return np.where(np.isfinite(share) & ~nothing, levels, -1)


@dataclass(frozen=True)
class Fact:
    """A number that belongs to the figure as a whole, spelled out, with the role of what it is about."""

    text: str
    role: str = "faint"


@dataclass(frozen=True, eq=False)
class Figure:
    """One plot: a title, two axes, marks from back to front, and facts in order of importance.

    `reason` says why there is nothing to show, and is "" where there is something. `below` values lie left of the
    x axis.
    """

    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    facts: tuple[Fact, ...] = field(default=())
    reason: str = ""
    below: int = 0

    def of(self, kind: type[Mark]) -> tuple[Mark, ...]:
        """The marks of one kind."""
        return tuple(mark for mark in self.marks if isinstance(mark, kind))
