"""The two spectra of a layer: its own with the power-law tail, the shuffled one with the Marchenko-Pastur law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from grokscope.app.plots.axis import Axis, axis_over
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.text import fixed, number, probability
from grokscope.app.theme import Palette
from grokscope.spectra import marchenko_pastur, power_law

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

Array = NDArray[np.float64]

DEEPEST = 10.0**-4.5
"""Of the largest eigenvalue: a logarithmic axis goes no deeper, if xmin does not, and says how many lie below."""

BELOW_XMIN = 0.5
"""Of xmin: as deep as that an axis goes at least, so that the least D(xmin) is seen to rise again to its left."""

CAUSE_LETTERS = {"mean": "m", "entries": "e", "mean+entries": "b", "unexplained": "?"}
BELOW_EDGE = 1e-3  # of λ₊: as deep as that a logarithmic axis of a shuffled spectrum goes
SMALLEST = 1e-12  # of the largest eigenvalue: what lies below is rounding
FEW_IN_TAIL = power_law.DECIDABLE_TAIL


@dataclass(frozen=True)
class Axes:
    """Which axes of a plot are logarithmic."""

    x_log: bool
    y_log: bool

    def flipped(self, which: str) -> Axes:
        """The same with the `x` or the `y` axis the other way."""
        return Axes(self.x_log ^ (which == "x"), self.y_log ^ (which == "y"))


@dataclass(frozen=True)
class Histogram:
    """edges float64 [n + 1] in units of λ; density float64 [n] per unit of λ, or of ln λ on a logarithmic axis."""

    edges: Array
    density: Array


def histogram(eigenvalues: Array, axis: Axis, bins: int) -> Histogram:
    """The eigenvalues' density in bins of equal width on the axis, integrating to 1."""
    positions = np.linspace(0, 1, bins + 1)
    edges = np.array([axis.value(float(p)) for p in positions])
    counts, _ = np.histogram(eigenvalues, bins=edges)
    width = np.log(edges[1] / edges[0]) if axis.log else edges[1] - edges[0]
    return Histogram(edges, counts / (max(1, len(eigenvalues)) * width))


def empty(width: int, height: int, title: str, reason: str, palette: Palette) -> Text:
    """A plot that has nothing to show, and says why."""
    return _empty(width, height, title, reason, palette).text()


def _empty(width: int, height: int, title: str, reason: str, palette: Palette) -> Canvas:
    canvas = Canvas(width, height)
    canvas.put_fitted(0, 1, width - 1, title, palette.text)
    canvas.put_fitted(height // 2, max(1, (width - len(reason)) // 2), width - 2, reason, palette.muted)
    return canvas


def esd(
    spectrum: LayerSpectrum,
    width: int,
    height: int,
    palette: Palette,
    *,
    axes: Axes = Axes(True, True),
    other: LayerSpectrum | None = None,
    search: bool = False,
    focused: bool = False,
) -> Text:
    """The layer's eigenvalues as a density with the fitted power law over its tail, xmin and xmax.

    With `search` the KS distance D of every candidate xmin is drawn instead of the fit's line, on its own scale.
    """
    title = f"ESD {spectrum.name}"
    values = _positive(spectrum.esd)
    if len(values) < 2:
        return empty(width, height, title, spectrum.reason or "no positive eigenvalues", palette)
    others = np.empty(0) if other is None else _positive(other.esd)
    seen = [_down_to(_depth(one, eigenvalues), eigenvalues, axes.x_log)
            for one, eigenvalues in ((spectrum, values), (other, others)) if one is not None]  # fmt: skip
    x = axis_over(np.concatenate(seen), log=axes.x_log, padding=0.03, include=(spectrum.xmin * BELOW_XMIN,))
    bars, compared = (
        _density_per_value(histogram(eigenvalues, x, _bins(width, len(eigenvalues))), x)
        for eigenvalues in (values, others)
    )
    y = _density_axis([bars.density, compared.density], axes.y_log)
    figure = Figure(width, height, x, y, palette, x_label="λ", y_ticks=None)
    centres = _centres(bars.edges, x)
    colors = [palette.tail if centre >= spectrum.xmin else palette.bars for centre in centres]
    figure.bars(bars.edges, bars.density, colors)
    curves = [_in_steps(compared, palette.mark)]
    curves += _search_curve(spectrum, y, palette) if search else _tail_curve(spectrum, x, palette)
    figure.curves(curves)
    figure.vertical(spectrum.xmin, palette.fit, "┊", "xmin")
    if height > 8:
        figure.vertical(spectrum.xmax, palette.faint, "┊", "xmax", label_row=1)
    below = int(np.count_nonzero(values < x.low))
    if below:
        figure.canvas.put(figure.top + figure.rows - 1, figure.left, f"◂{below}", palette.muted)
    figure.canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    _esd_title(figure.canvas, title, spectrum, palette, search)
    return figure.canvas.text()


def randomized_esd(
    spectrum: LayerSpectrum,
    width: int,
    height: int,
    palette: Palette,
    *,
    axes: Axes = Axes(True, False),
    other: LayerSpectrum | None = None,
    focused: bool = False,
) -> Text:
    """The shuffled entries' eigenvalues with the fitted Marchenko-Pastur density, its edges and the traps."""
    canvas = randomized_canvas(spectrum, width, height, palette, axes=axes, other=other, focused=focused)
    return canvas.text()


def randomized_canvas(
    spectrum: LayerSpectrum,
    width: int,
    height: int,
    palette: Palette,
    *,
    axes: Axes = Axes(True, False),
    other: LayerSpectrum | None = None,
    focused: bool = False,
) -> Canvas:
    """The same as a canvas, to be part of a larger drawing."""
    title = f"randomised {spectrum.name}"
    values = _positive(spectrum.randomized_esd)
    if len(values) < 2 or not spectrum.sigma_robust > 0:
        return _empty(width, height, title, spectrum.reason or "no Marchenko-Pastur fit", palette)
    others = np.empty(0) if other is None else _positive(other.randomized_esd)
    seen = [_down_to(one.lambda_plus * BELOW_EDGE, eigenvalues, axes.x_log)
            for one, eigenvalues in ((spectrum, values), (other, others)) if one is not None]  # fmt: skip
    x = axis_over(np.concatenate(seen), log=axes.x_log, padding=0.03, include=(spectrum.lambda_plus * 1.05,))
    bars, compared = (
        histogram(eigenvalues, x, _bins(width, len(eigenvalues))) for eigenvalues in (values, others)
    )
    law = _marchenko_pastur(spectrum, x)
    y = _density_axis([bars.density, compared.density, law[1]], axes.y_log)
    figure = Figure(width, height, x, y, palette, x_label="λ", y_ticks=None if axes.y_log else [])
    least = min((trap.eigenvalue for trap in spectrum.traps), default=np.inf)
    colors = [palette.trap if right > least else palette.bars for right in bars.edges[1:]]
    drawn = figure.bars(bars.edges, bars.density, colors)
    figure.curves([_in_steps(compared, palette.mark), Curve(*law, palette.fit)])
    figure.vertical(spectrum.lambda_minus, palette.edge, "┊", "λ₋")
    figure.vertical(spectrum.lambda_plus, palette.edge, "┊", "λ₊")
    _mark_traps(figure, spectrum, bars, drawn, palette)
    figure.canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    _randomized_title(figure.canvas, title, spectrum, palette)
    return figure.canvas


def _positive(eigenvalues: Array) -> Array:
    finite = eigenvalues[np.isfinite(eigenvalues)]
    return finite[finite > SMALLEST * finite.max()] if len(finite) and finite.max() > 0 else finite[:0]


def _bins(width: int, count: int) -> int:
    return int(min(max(10, width - 8), max(8, round(2.5 * count**0.5))))


def _centres(edges: Array, axis: Axis) -> Array:
    return np.sqrt(edges[1:] * edges[:-1]) if axis.log else (edges[1:] + edges[:-1]) / 2


def _density_per_value(bars: Histogram, axis: Axis) -> Histogram:
    """Density per unit of λ, on which a power law is straight in log-log."""
    return Histogram(bars.edges, bars.density / _centres(bars.edges, axis)) if axis.log else bars


def _depth(spectrum: LayerSpectrum, values: Array) -> float:
    """The least eigenvalue that a logarithmic axis shows of a spectrum."""
    return float(np.fmin(values.max(initial=0.0) * DEEPEST, spectrum.xmin * BELOW_XMIN))


def _down_to(depth: float, values: Array, log: bool) -> Array:
    return values[~(values < depth)] if log else values


def _density_axis(densities: Sequence[Array], log: bool) -> Axis:
    """The axis that covers every one of the densities, each NaN or 0 where there is nothing to show."""
    heights = np.concatenate(densities)
    heights = heights[heights > 0]
    if not len(heights):
        return Axis(0.1, 1.0, log)
    if log:
        return Axis(float(heights.min()) * 0.4, float(heights.max()) * 2, True)
    return Axis(0.0, float(heights.max()) * 1.12)


def _tail_curve(spectrum: LayerSpectrum, x: Axis, palette: Palette) -> list[Curve]:
    if not spectrum.xmax > spectrum.xmin > 0:
        return []
    points = np.array([x.value(p) for p in np.linspace(0, 1, 200)])
    points = np.concatenate([[spectrum.xmin], points[(points > spectrum.xmin) & (points < spectrum.xmax)]])
    share = spectrum.num_tail / max(1, len(spectrum.esd))
    return [Curve(points, share * power_law.tail_density(points, spectrum.alpha, spectrum.xmin), palette.fit)]


def _search_curve(spectrum: LayerSpectrum, y: Axis, palette: Palette) -> list[Curve]:
    """D(xmin), laid over the whole height: its least value, the chosen xmin, touches the bottom."""
    xmins, distances, _ = power_law.distance_curve(spectrum.esd)
    if not np.isfinite(distances).any():
        return []
    low, high = np.nanmin(distances), np.nanmax(distances)
    levels = (distances - low) / ((high - low) or 1.0)
    return [Curve(xmins, [y.value(float(v)) if np.isfinite(v) else np.nan for v in levels], palette.fit)]


def _in_steps(bars: Histogram, color: str) -> Curve:
    """A histogram's outline, broken where a bin is empty."""
    heights = np.where(bars.density > 0, bars.density, np.nan)
    return Curve(np.repeat(bars.edges, 2)[1:-1], np.repeat(heights, 2), color)


def _marchenko_pastur(spectrum: LayerSpectrum, x: Axis) -> tuple[Array, Array]:
    points = np.array([x.value(p) for p in np.linspace(0, 1, 400)])
    rows, columns = spectrum.shape[0], int(np.prod(spectrum.shape[1:]))
    law = marchenko_pastur.density(points, max(rows, columns), min(rows, columns), spectrum.sigma_robust)
    if x.log:
        law = law * points
    return points, np.where(law > 0, law, np.nan)


def _mark_traps(
    figure: Figure, spectrum: LayerSpectrum, bars: Histogram, drawn: NDArray[np.intp], palette: Palette
) -> None:
    """A sign and the cause's letter above the bar that each trap stands in; `drawn` says which bar is where."""
    for trap in spectrum.traps:
        column = figure.column(trap.eigenvalue)
        own = np.flatnonzero(drawn == np.searchsorted(bars.edges, trap.eigenvalue, side="right") - 1) + figure.left
        if column is not None and figure.rows > 1:
            place = int(own[np.argmin(np.abs(own - column))]) if len(own) else column
            row = _free_row(figure, place)
            figure.canvas.put(row - 1, place, CAUSE_LETTERS.get(trap.cause, "?"), palette.trap, bold=True)
            figure.canvas.put(row, place, "▲", palette.trap)


def _free_row(figure: Figure, column: int) -> int:
    """The lowest row of a column with nothing in it, and a row above it; signs of other traps do not count."""
    for row in range(figure.top + figure.rows - 1, figure.top, -1):
        if figure.canvas.characters[row][column] in " ▲":
            return row
    return figure.top + 1


def _words(canvas: Canvas, words: list[tuple[str, str]], *, start: int = 1) -> None:
    """Write (text, colour) pieces two cells apart on the first row, leaving out those that do not fit."""
    column = start
    for text, color in words:
        if text and column + len(text) <= canvas.width:
            canvas.put(0, column, text, color, bold=column == start)
            column += len(text) + 2


def _esd_title(canvas: Canvas, title: str, spectrum: LayerSpectrum, palette: Palette, search: bool) -> None:
    few = spectrum.num_tail < FEW_IN_TAIL
    _words(canvas, [
        (title, palette.text),
        ("line: D(xmin)" if search else "", palette.fit),
        (f"α {fixed(spectrum.alpha, 2)} ± {fixed(spectrum.alpha_sigma, 2)}", palette.tail),
        (f"tail {spectrum.num_tail}" + (" (few)" if few else ""), palette.warning if few else palette.muted),
        (f"xmin {number(spectrum.xmin)}", palette.muted),
        (f"D {fixed(spectrum.power_law_distance, 3)}", palette.muted),
        (f"95 % {fixed(spectrum.alpha_low, 2)}–{fixed(spectrum.alpha_high, 2)}", palette.muted),
        (spectrum.verdict, palette.text),
    ])  # fmt: skip


def _randomized_title(canvas: Canvas, title: str, spectrum: LayerSpectrum, palette: Palette) -> None:
    count = len(spectrum.traps)
    _words(canvas, [
        (title, palette.text),
        (f"σ_mp {fixed(spectrum.sigma_mp, 3)}", palette.muted),
        (f"p {probability(spectrum.ks_p, spectrum.null_draws)}", palette.muted),
        (f"{count} trap{'s' * (count != 1)}" if count else "no traps", palette.trap if count else palette.muted),
        (f"KS {fixed(spectrum.ks_distance, 4)}", palette.muted),
        (f"naive p {probability(spectrum.ks_p_naive, 0)}", palette.muted),
        (f"λ₊ {number(spectrum.lambda_plus)}", palette.edge),
    ])  # fmt: skip
