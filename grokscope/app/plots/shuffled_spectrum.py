"""The spectrum of a layer's shuffled entries with the Marchenko-Pastur law and the traps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from grokscope.app.plots.axis import Axis, axis_over
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.density import (
    LOG_X,
    Array,
    Axes,
    Histogram,
    density_axis,
    down_to,
    empty_canvas,
    histogram,
    in_steps,
    num_bins,
    positive,
    put_words,
)
from grokscope.app.plots.figure import Curve, Figure
from grokscope.app.theme import Palette
from grokscope.numbers import fixed, number, probability
from grokscope.spectra import marchenko_pastur

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

CAUSE_LETTERS = {"mean": "m", "entries": "e", "mean+entries": "b", "unexplained": "?"}
BELOW_EDGE = 1e-3  # of λ₊: as deep as that a logarithmic axis goes


def randomized_esd(
    spectrum: LayerSpectrum,
    width: int,
    height: int,
    palette: Palette,
    *,
    axes: Axes = LOG_X,
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
    axes: Axes = LOG_X,
    other: LayerSpectrum | None = None,
    focused: bool = False,
) -> Canvas:
    """The same as a canvas, to be part of a larger drawing."""
    title = f"randomised {spectrum.name}"
    values = positive(spectrum.randomized_esd)
    if len(values) < 2 or not spectrum.sigma_robust > 0:
        return empty_canvas(width, height, title, spectrum.reason or "no Marchenko-Pastur fit", palette)
    others = np.empty(0) if other is None else positive(other.randomized_esd)
    seen = [down_to(one.lambda_plus * BELOW_EDGE, eigenvalues, axes.x_log)
            for one, eigenvalues in ((spectrum, values), (other, others)) if one is not None]  # fmt: skip
    x = axis_over(np.concatenate(seen), log=axes.x_log, padding=0.03, include=(spectrum.lambda_plus * 1.05,))
    bars, compared = (
        histogram(eigenvalues, x, num_bins(width, len(eigenvalues))) for eigenvalues in (values, others)
    )
    law = _marchenko_pastur(spectrum, x)
    y = density_axis([bars.density, compared.density, law[1]], axes.y_log)
    figure = Figure(width, height, x, y, palette, x_label="λ", y_ticks=None if axes.y_log else [])
    least = min((trap.eigenvalue for trap in spectrum.traps), default=np.inf)
    colors = [palette.trap if right > least else palette.bars for right in bars.edges[1:]]
    drawn = figure.bars(bars.edges, bars.density, colors)
    figure.curves([in_steps(compared, palette.mark), Curve(*law, palette.fit)])
    figure.vertical(spectrum.lambda_minus, palette.edge, "┊", "λ₋")
    figure.vertical(spectrum.lambda_plus, palette.edge, "┊", "λ₊")
    _mark_traps(figure, spectrum, bars, drawn, palette)
    figure.canvas.put(0, 0, "▌" if focused else " ", palette.accent)
    _randomized_title(figure.canvas, title, spectrum, palette)
    return figure.canvas


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


def _randomized_title(canvas: Canvas, title: str, spectrum: LayerSpectrum, palette: Palette) -> None:
    count = len(spectrum.traps)
    put_words(canvas, [
        (title, palette.text),
        (f"σ_mp {fixed(spectrum.sigma_mp, 3)}", palette.muted),
        (f"p {probability(spectrum.ks_p, spectrum.null_draws)}", palette.muted),
        (f"{count} trap{'s' * (count != 1)}" if count else "no traps", palette.trap if count else palette.muted),
        (f"KS {fixed(spectrum.ks_distance, 4)}", palette.muted),
        (f"naive p {probability(spectrum.ks_p_naive, 0)}", palette.muted),
        (f"λ₊ {number(spectrum.lambda_plus)}", palette.edge),
    ])  # fmt: skip
