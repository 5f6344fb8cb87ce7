"""A layer's own spectrum with its power-law tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from grokscope.app.plots.axis import Axis, axis_over
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.density import (
    LOG_LOG,
    Array,
    Axes,
    Histogram,
    density_axis,
    down_to,
    empty,
    histogram,
    in_steps,
    num_bins,
    positive,
    put_words,
)
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.theme import Palette
from grokscope.numbers import fixed, number, probability, with_interval
from grokscope.spectra import power_law

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

DEEPEST = 10.0**-4.5
"""Of the largest eigenvalue: a logarithmic axis goes no deeper, if xmin does not, and says how many lie below."""

BELOW_XMIN = 0.5
"""Of xmin: as deep as that an axis goes at least, so that the least D(xmin) is seen to rise again to its left."""

FEW_IN_TAIL = power_law.DECIDABLE_TAIL


def esd(
    spectrum: LayerSpectrum,
    width: int,
    height: int,
    palette: Palette,
    *,
    axes: Axes = LOG_LOG,
    other: LayerSpectrum | None = None,
    search: bool = False,
    focused: bool = False,
) -> Text:
    """The layer's eigenvalues as a density with the fitted power law over its tail, xmin and xmax.

    With `search` the KS distance D of every candidate xmin is drawn instead of the fit's line, on its own scale.
    """
    title = f"ESD {spectrum.name}"
    values = positive(spectrum.esd)
    if len(values) < 2:
        return empty(width, height, title, spectrum.reason or "no positive eigenvalues", palette)
    others = np.empty(0) if other is None else positive(other.esd)
    seen = [down_to(_depth(one, eigenvalues), eigenvalues, axes.x_log)
            for one, eigenvalues in ((spectrum, values), (other, others)) if one is not None]  # fmt: skip
    x = axis_over(np.concatenate(seen), log=axes.x_log, padding=0.03, include=(spectrum.xmin * BELOW_XMIN,))
    bars, compared = (
        _density_per_value(histogram(eigenvalues, x, num_bins(width, len(eigenvalues))), x)
        for eigenvalues in (values, others)
    )
    y = density_axis([bars.density, compared.density], axes.y_log)
    figure = Figure(width, height, x, y, palette, x_label="λ", y_ticks=None)
    centres = _centres(bars.edges, x)
    colors = [palette.tail if centre >= spectrum.xmin else palette.bars for centre in centres]
    figure.bars(bars.edges, bars.density, colors)
    curves = [in_steps(compared, palette.mark)]
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


def _depth(spectrum: LayerSpectrum, values: Array) -> float:
    """The least eigenvalue that a logarithmic axis shows of a spectrum."""
    return float(np.fmin(values.max(initial=0.0) * DEEPEST, spectrum.xmin * BELOW_XMIN))


def _centres(edges: Array, axis: Axis) -> Array:
    return np.sqrt(edges[1:] * edges[:-1]) if axis.log else (edges[1:] + edges[:-1]) / 2


def _density_per_value(bars: Histogram, axis: Axis) -> Histogram:
    """Density per unit of λ, on which a power law is straight in log-log."""
    return Histogram(bars.edges, bars.density / _centres(bars.edges, axis)) if axis.log else bars


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


def _esd_title(canvas: Canvas, title: str, spectrum: LayerSpectrum, palette: Palette, search: bool) -> None:
    few = spectrum.num_tail < FEW_IN_TAIL
    put_words(canvas, [
        (title, palette.text),
        ("line: D(xmin)" if search else "", palette.fit),
        (f"α {with_interval(spectrum.alpha, spectrum.alpha_low, spectrum.alpha_high)}", palette.tail),
        (f"tail {spectrum.num_tail}" + (" (few)" if few else ""), palette.warning if few else palette.muted),
        (f"xmin {number(spectrum.xmin)}", palette.muted),
        (f"D {fixed(spectrum.power_law_distance, 3)}", palette.muted),
        (f"noise p {probability(spectrum.alpha_p, spectrum.alpha_draws)}", palette.muted),
        (spectrum.verdict, palette.text),
    ])  # fmt: skip
