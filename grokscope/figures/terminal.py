"""Figures as text, by plotext: for a terminal, a pipe or a log.

plotext gets every value as its place on the axis, 0 to 1, because its own logarithmic axes and limits don't go
together; ticks are ours. Without colours every line has a marker of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.figures.axis import Axis, to_the_frame
from grokscope.figures.colors import DARK
from grokscope.figures.data import Band, Bars, Curve, Figure, Heatmap, HLine, Mark, Points, Span, VLine
from grokscope.names import safe_name

Array = NDArray[np.float64]

PLAIN_MARKERS = ("braille", "+", "x", "o", "*", "%", "@")
SHADES = " ░▒▓█"
SMALLEST = (20, 8)


def text(figure: Figure, width: int = 80, height: int = 24, *, colors: bool = True) -> str:
    """Draw a figure in so many columns and rows (at least 20 × 8); without `colors` no escape sequence."""
    import plotext

    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    head = [*_wrapped([(figure.title, "text"), *((f.text, f.role) for f in figure.facts)], width, 1, colors)]
    if figure.reason:
        return "\n".join([*head, "", f"  {safe_name(figure.reason)}"[:width]])
    head += _wrapped([(f"↑ {figure.y.title}", "faint"), *_legend(figure, colors)], width, 2, colors)
    _Canvas(plotext, figure, width, height - len(head), colors).draw()
    drawn = plotext.build()
    body = drawn if colors else plotext.uncolorize(drawn)
    return "\n".join([*head, *(line.rstrip() for line in body.rstrip("\n").split("\n"))])


def _legend(figure: Figure, colors: bool) -> list[tuple[str, str]]:
    """What each mark is, with its sign, once."""
    found: dict[str, str] = {}
    for mark in figure.marks:
        if isinstance(mark, (Bars, Band, Curve, Points, VLine, HLine, Heatmap)) and mark.label:
            found.setdefault(f"{_sign(figure, mark, colors)} {mark.label}", mark.role)
    return list(found.items())


def _sign(figure: Figure, mark: Mark, colors: bool) -> str:
    if isinstance(mark, Heatmap):
        return f"{'' if colors else SHADES[1:] + ' '}{mark.low:.3g} to {mark.high:.3g}:"
    if isinstance(mark, Points) and mark.names:
        return "▲"
    if isinstance(mark, Band):
        return "⡇" if colors else ":"
    if isinstance(mark, VLine):
        return "┊"
    if isinstance(mark, HLine):
        return "╌"
    if isinstance(mark, Bars):
        return "█" if colors else _bar_marker(figure, mark)[-1]
    marker = _marker(figure, mark, colors)
    return "⠒" if marker == "braille" else marker


def _marker(figure: Figure, mark: Mark, colors: bool) -> str:
    """The marker of a curve or points: without colours one of its own, by the order of what it is called."""
    if colors:
        return "braille" if isinstance(mark, Curve) else "●"
    labels = list(dict.fromkeys(m.label for m in figure.marks if isinstance(m, (Curve, Points))))
    marker = PLAIN_MARKERS[labels.index(mark.label) % len(PLAIN_MARKERS)]
    return "●" if marker == "braille" and isinstance(mark, Points) else marker


def _bar_marker(figure: Figure, mark: Mark) -> str:
    bars = [m.label for m in figure.marks if isinstance(m, Bars)]
    return "█▒░"[bars.index(mark.label) % 3]


def _wrapped(words: Iterable[tuple[str, str]], width: int, most: int, colors: bool) -> list[str]:
    """(text, role) pieces two cells apart, on at most so many lines; those that do not fit are left out."""
    lines: list[list[tuple[str, str]]] = [[]]
    for word, role in words:
        word = safe_name(word)
        if not word or len(word) > width:
            continue
        used = sum(len(text) + 2 for text, _ in lines[-1])
        if used + len(word) > width:
            if len(lines) == most:
                continue
            lines.append([])
        lines[-1].append((word, role))
    return ["  ".join(_colored(word, role, colors) for word, role in line) for line in lines if line]


def _colored(word: str, role: str, colors: bool) -> str:
    if not colors:
        return word
    red, green, blue = _rgb(role)
    return f"\x1b[38;2;{red};{green};{blue}m{word}\x1b[0m"


def _rgb(role: str) -> tuple[int, int, int]:
    code = role if role.startswith("#") else DARK.role(role)
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


@dataclass
class _Canvas:
    """One plotext figure on its way: plotext keeps it in its module."""

    plotext: Any
    figure: Figure
    width: int
    height: int
    colors: bool

    def draw(self) -> None:
        """Draw every mark, from back to front, with axes and ticks."""
        plt = self.plotext
        plt.clear_figure()
        plt.limit_size(False, False)
        plt.plot_size(self.width, self.height)
        plt.theme("clear")
        plt.xlim(0, 1)
        plt.ylim(0, 1)
        self._ticks()
        for mark in self.figure.marks:
            self._mark(mark)

    def _ticks(self) -> None:
        plt, figure = self.plotext, self.figure
        across, up = max(2, self.width // 10), max(2, self.height // 4)
        plt.xticks(*_places(figure.x, figure.x.ticks(across)))
        names = _named_rows(figure)
        ticks = _every(names, self.height - 5) if names else figure.y.ticks(up)
        plt.yticks(*_places(figure.y, ticks))
        plt.xlabel(figure.x.title)

    def _mark(self, mark: Mark) -> None:
        if isinstance(mark, Bars):
            self._bars(mark)
        elif isinstance(mark, Heatmap):
            self._heatmap(mark)
        elif isinstance(mark, Curve):
            self._curve(mark.x, mark.y, _marker(self.figure, mark, self.colors), mark.role)
        elif isinstance(mark, Points):
            self._points(mark)
        elif isinstance(mark, Band):
            ends = np.stack([mark.low, mark.high, np.full(len(mark.x), np.nan)], axis=1).ravel()
            ends = np.clip(ends, self.figure.y.low, self.figure.y.high)
            self._curve(np.repeat(mark.x, 3), ends, "braille" if self.colors else ":", mark.role)
        elif isinstance(mark, VLine):
            self._scatter(np.full(2 * self.height, mark.at), self._up(), "┊", mark.role)
        elif isinstance(mark, HLine):
            self._scatter(self._across(), np.full(2 * self.width, mark.at), "╌", mark.role)
        elif isinstance(mark, Span):
            self._span(mark)

    def _up(self) -> Array:
        return np.array([self.figure.y.value(float(p)) for p in np.linspace(0, 1, 2 * self.height)])

    def _across(self) -> Array:
        return np.array([self.figure.x.value(float(p)) for p in np.linspace(0, 1, 2 * self.width)])

    def _curve(self, x: ArrayLike, y: ArrayLike, marker: str, role: str) -> None:
        """A line through x and y in data units, broken where one is unknown or outside the frame."""
        across, up = to_the_frame(self.figure.x.position(x), self.figure.y.position(y))
        for piece in _pieces(across, up):
            self._plot(across[piece], up[piece], marker, role)

    def _points(self, mark: Points) -> None:
        marker = _marker(self.figure, mark, self.colors)
        if not mark.names:
            self._scatter(mark.x, mark.y, marker, mark.role)
            return
        up, row = self.figure.y.position(mark.y), 1.0 / max(1, self.height - 5)
        for name, x, y in zip(mark.names, self.figure.x.position(mark.x), up, strict=True):
            place = {"x": float(x), "y": min(1.0, float(y) + row), "color": _rgb(mark.role)}
            self.plotext.text(name, **place, alignment="center")

    def _bars(self, mark: Bars) -> None:
        marker = "hd" if self.colors else {"█": "hd"}.get(shade := _bar_marker(self.figure, mark), shade)
        across = np.clip(self.figure.x.position(mark.edges), 0, 1)
        up = np.clip(self.figure.y.position(mark.heights), 0, 1)
        x, y = np.repeat(across, 2)[1:-1], np.repeat(up, 2)
        for piece in _pieces(x, y):
            self._plot(x[piece], y[piece], marker, mark.role, fill=True)

    def _heatmap(self, mark: Heatmap) -> None:
        """Each of the cells of the plot takes the shade of the value that lies there."""
        figure = self.figure
        columns, rows = np.linspace(0, 1, 2 * self.width), np.linspace(0, 1, 2 * self.height)
        x = np.array([figure.x.value(float(p)) for p in columns])
        y = np.array([figure.y.value(float(p)) for p in rows])
        across = np.searchsorted(mark.x_edges, x, side="right") - 1
        up = np.searchsorted(mark.y_edges, y, side="right") - 1
        across[x == mark.x_edges[-1]] -= 1
        up[y == mark.y_edges[-1]] -= 1
        inside = ((up >= 0) & (up < len(mark.values)))[:, None] & ((across >= 0) & (across < mark.values.shape[1]))
        grey = [(mark.role, shade) for shade in SHADES[1:]]
        looks = [(color, "█") for color in DARK.ramp] if self.colors else grey
        levels = mark.levels(len(looks))[up % len(mark.values)][:, across % mark.values.shape[1]]
        for level, (color, marker) in enumerate(looks):
            found = np.argwhere(inside & (levels == level))
            self._scatter(x[found[:, 1]], y[found[:, 0]], marker, color)

    def _span(self, mark: Span) -> None:
        """Where a phase begins, and its name along the top."""
        left, right = (float(np.clip(self.figure.x.position(x), 0, 1)) for x in (mark.x0, mark.x1))
        if left > 0:
            self._scatter(np.full(2 * self.height, mark.x0), self._up(), "╎", mark.role)
        room = int((right - left) * (self.width - 8))
        word = mark.label if room > len(mark.label) + 1 else mark.label[:1].upper()
        place = {"x": left + 1.5 / max(self.width, 1), "y": 1.0, "color": _rgb(mark.role)}
        self.plotext.text(word, **place, alignment="left")

    def _scatter(self, x: ArrayLike, y: ArrayLike, marker: str, role: str) -> None:
        across, up = self.figure.x.position(x), self.figure.y.position(y)
        known = (across >= 0) & (across <= 1) & (up >= 0) & (up <= 1)
        if known.any():
            color = _rgb(role)
            self.plotext.scatter(across[known].tolist(), up[known].tolist(), marker=marker, color=color)

    def _plot(self, across: Array, up: Array, marker: str, role: str, *, fill: bool = False) -> None:
        x, y, color = across.tolist(), up.tolist(), _rgb(role)
        self.plotext.plot(x, y, marker=marker, color=color, fillx=fill)


def _pieces(across: Array, up: Array) -> list[slice]:
    """Where both are known and inside, as slices."""
    with np.errstate(invalid="ignore"):
        inside = (across >= 0) & (across <= 1) & (up >= 0) & (up <= 1)
    bounds = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
    return [slice(int(start), int(stop)) for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]


def _places(axis: Axis, ticks: Sequence[tuple[float, str]]) -> tuple[list[float], list[str]]:
    """Ticks as places on the axis with their labels."""
    inside = [(float(axis.position(value)), label) for value, label in ticks]
    inside = [(place, label) for place, label in inside if 0 <= place <= 1]
    return [place for place, _ in inside], [label for _, label in inside]


def _named_rows(figure: Figure) -> list[tuple[float, str]]:
    """The names of a heat map's rows at their middles."""
    maps = [mark for mark in figure.marks if isinstance(mark, Heatmap) and mark.names]
    return [(k + 0.5, name) for mark in maps for k, name in enumerate(mark.names)]


def _every(ticks: list[tuple[float, str]], most: int) -> list[tuple[float, str]]:
    """At most so many of the ticks, evenly."""
    return ticks[:: -(-len(ticks) // max(1, most))]
