"""Plots as text: what is drawn where, from real spectra, with no app running."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import plotext
import pytest
from rich.style import Style
from rich.text import Text

from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.described import described, framed
from grokscope.app.plots.marks import vertical
from grokscope.app.plots.raster import Series, raster
from grokscope.app.views.spectrum import most_bins
from grokscope.app.views.table import traps_by_cause
from grokscope.figures import Axis, Figure, Scales, VLine, axis_over, dxmin
from grokscope.figures import esd as own
from grokscope.figures import randomised as shuffled
from grokscope.figures.axis import Scale
from grokscope.figures.colors import DARK, LIGHT, Palette
from grokscope.spectra import LayerSpectrum, analyze_layer


@pytest.fixture(scope="module")
def trapped() -> LayerSpectrum:
    """A Gaussian 120 × 60 layer with one large entry, analysed for real."""
    weight = np.random.default_rng(1).normal(size=(60, 120))
    weight[3, 7] = 40.0
    return analyze_layer(weight, "fc1", step=0, permutations=3, null_draws=200)


def esd(
    spectrum: LayerSpectrum, width: int, height: int, palette: Palette,
    axes: Scales = ("log", "log"), other: LayerSpectrum | None = None,
) -> Text:  # fmt: skip
    figure = own(spectrum, scales=axes, other=other, most_bins=most_bins(width))
    return described(figure, width, height, palette).text()


def randomised_canvas(
    spectrum: LayerSpectrum, width: int, height: int, palette: Palette,
    axes: Scales = ("log", "linear"), other: LayerSpectrum | None = None,
) -> Canvas:  # fmt: skip
    figure = shuffled(spectrum, scales=axes, other=other, most_bins=most_bins(width))
    return described(figure, width, height, palette)


def randomized_esd(*arguments: Any, **options: Any) -> Text:
    return randomised_canvas(*arguments, **options).text()


def lines_of(text: object) -> list[str]:
    return str(getattr(text, "plain", text)).split("\n")


def test_a_curve_is_the_same_dots_as_plotext_draws() -> None:
    x = np.linspace(0, 1, 23)
    y = 0.5 + 0.45 * np.sin(7 * x)
    plotext.clear_figure()
    plotext.limitsize(False, False)
    plotext.plotsize(40, 10)
    plotext.theme("clear")
    plotext.frame(False)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(0, 1)
    plotext.ylim(0, 1)
    plotext.scatter(x.tolist(), y.tolist(), marker="braille")
    expected = [line.ljust(40) for line in plotext.uncolorize(plotext.build()).split("\n")[:10]]
    grid = [[" "] * 40 for _ in range(10)]
    for row, column, character, _ in raster([Series(x, y, line=False)], 40, 10):
        grid[row][column] = character
    assert ["".join(row) for row in grid] == expected


def test_curves_that_cross_in_a_cell_keep_the_dots_of_both() -> None:
    first = Series(np.array([0.0]), np.array([1.0]), line=False)
    second = Series(np.array([1.0]), np.array([0.0]), line=False)
    assert raster([first, second], 1, 1) == [(0, 0, chr(0x2800 | 0x01 | 0x80), 1)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_cannot_be_drawn_breaks_the_line(bad: float) -> None:
    cells = raster([Series(np.array([0.0, 0.5, 1.0]), np.array([0.5, bad, 0.5]))], 20, 1)
    assert [column for _, column, _, _ in cells] == [0, 19]


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1e6), (0.5, 6.3e6), (1e-8, 1e-2), (20, 80), (1e-300, 1e300), (3, 3.1)]
)
@pytest.mark.parametrize("most", [2, 4, 10])
def test_log_ticks_lie_on_the_axis_and_are_decades_where_it_spans_two(low: float, high: float, most: int) -> None:
    ticks = Axis("", "log", low, high).ticks(most)
    assert len(ticks) <= max(most, 2)
    assert all(low * 0.999 <= value <= high * 1.001 for value, _ in ticks)
    assert len({label for _, label in ticks}) == len(ticks)
    if high / low >= 1e3:
        assert ticks
        assert all(np.log10(value) == pytest.approx(round(np.log10(value))) for value, _ in ticks)


@pytest.mark.parametrize("values", [[], [0.0], [np.nan, np.inf], [5.0, 5.0], [-1.0, 0.0], [1e-320, 1e308]])
@pytest.mark.parametrize("log", [False, True])
def test_an_axis_over_anything_is_finite_and_has_room(values: list[float], log: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axis = axis_over("", values, scale="log" if log else "linear")
    assert np.isfinite([axis.low, axis.high]).all()
    assert axis.low < axis.high


def test_the_esd_shows_alpha_with_its_tail_and_the_fit_from_xmin(trapped: LayerSpectrum) -> None:
    lines = lines_of(esd(trapped, 100, 20, DARK))
    assert len(lines) == 20
    assert f"α {trapped.alpha:.2f} [{trapped.alpha_low:.1f}, {trapped.alpha_high:.1f}]" in lines[0]
    assert f"tail {trapped.num_tail}" in lines[0]
    assert any("xmin" in line for line in lines)
    assert any("⠀" < character <= "⣿" for line in lines for character in line)


def test_a_short_tail_is_flagged(trapped: LayerSpectrum) -> None:
    assert "(few)" in lines_of(esd(replace(trapped, num_tail=6), 100, 20, DARK))[0]


def decades(weight_scale: float, seed: int = 2) -> LayerSpectrum:
    """A layer whose eigenvalues span many decades around weight_scale²."""
    rng = np.random.default_rng(seed)
    weight = weight_scale * rng.normal(size=(60, 120)) * np.logspace(-4, 0, 60)[:, None]
    return analyze_layer(weight, "fc1", step=0, permutations=3, null_draws=200)


def columns_in(text: Text, color: str) -> list[int]:
    """The columns of the curve of a colour, below the title."""
    plain, found = text.plain, []
    for span in text.spans:
        style = span.style
        if isinstance(style, Style) and style.color is not None and style.color.name == color:
            row, column = plain.count("\n", 0, span.start), span.start - (plain.rfind("\n", 0, span.start) + 1)
            found += [column + k for k, c in enumerate(plain[span.start : span.end]) if row and "⠀" < c <= "⣿"]
    return found


@pytest.mark.parametrize("scales", [(1.0, 1e-3), (1e-3, 1.0), (1.0, 1.0)])
@pytest.mark.parametrize("draw", [esd, randomized_esd])
@pytest.mark.parametrize("log", ["log", "linear"])
def test_every_part_of_a_compared_spectrum_is_on_the_axes(
    scales: tuple[float, float], draw: Callable[..., Text], log: Scale
) -> None:
    """Its outline is as wide as its eigenvalues lie apart, whatever the front run's are."""
    front, other = (decades(scale) for scale in scales)
    drawn = columns_in(draw(front, 120, 30, DARK, axes=("log", log), other=other), DARK.mark)
    alone = columns_in(draw(other, 120, 30, DARK, axes=("log", log), other=other), DARK.mark)
    decades_alone, decades_more = 3, abs(np.log10(scales[0] / scales[1])) * 2
    assert len(set(drawn)) > 0.8 * len(set(alone)) * decades_alone / (decades_alone + decades_more)


def test_the_chosen_xmin_and_the_least_distance_are_on_the_axis() -> None:
    weight = np.random.default_rng(3).normal(size=(60, 120)) * np.logspace(-4, 0, 60)[:, None]
    spectrum = analyze_layer(weight, "fc1", step=0, permutations=3, null_draws=200)
    assert spectrum.xmin < spectrum.esd.max() * 1e-5, "the case in question: a tail over all decades"
    lines = lines_of(described(dxmin(spectrum), 120, 30, DARK).text())
    assert "D(xmin) fc1" in lines[0]
    column = next(line.index("xmin") for line in lines[1:] if "xmin" in line) - 1
    assert sum(line[column] == "┊" for line in lines) > 20, "over the bars as well"
    lowest = max(row for row, line in enumerate(lines) if any("⠀" < c <= "⣿" for c in line))
    dots = [k for k, c in enumerate(lines[lowest]) if "⠀" < c <= "⣿"]
    assert any(abs(k - column) <= 1 for k in dots), "D is least where xmin stands"


def test_the_randomised_esd_marks_each_trap_by_its_cause(trapped: LayerSpectrum) -> None:
    assert [trap.cause for trap in trapped.traps] == ["entries"]
    lines = lines_of(randomized_esd(trapped, 100, 20, DARK))
    marked = [line.rindex("▲") for line in lines if "▲" in line]
    assert len(marked) == 1
    assert any(line[marked[0]] == "e" for line in lines if len(line) > marked[0])
    assert any("λ₊" in line for line in lines[1:])
    assert "1 trap" in lines[0]
    assert [traps_by_cause(one) for one in (trapped, replace(trapped, traps=()))] == ["1e", "0 of 1"]


@pytest.mark.parametrize("size", [(39, 7), (60, 12), (119, 26), (199, 40)])
@pytest.mark.parametrize("x", ["log", "linear"])
def test_only_bars_with_traps_are_coloured_as_such_and_each_sign_stands_on_one(
    trapped: LayerSpectrum, size: tuple[int, int], x: Scale
) -> None:
    beyond = trapped.lambda_plus * 1.02  # beyond the law's edge, below the edge of noise: no trap
    spectrum = replace(trapped, randomized_esd=np.sort(np.append(trapped.randomized_esd, beyond)))
    canvas = randomised_canvas(spectrum, *size, DARK, axes=(x, "linear"))
    bottom = size[1] - 3
    coloured = [k for k, look in enumerate(canvas.looks[bottom]) if look[0] == DARK.trap]
    signs = [(row, cells.index("▲")) for row, cells in enumerate(canvas.characters) if "▲" in cells]
    assert len(signs) == 1
    (row, column) = signs[0]
    assert column in coloured
    assert row < bottom
    assert canvas.characters[row - 1][column] == "e"
    assert coloured == list(range(min(coloured), max(coloured) + 1)), "the bar of the trap and no other"
    edge = next(cells.index("λ") - 1 for cells in canvas.characters[1:] if "λ" in cells)
    assert min(coloured) > edge + 2


def test_a_trap_stands_right_of_the_edge(trapped: LayerSpectrum) -> None:
    lines = lines_of(randomized_esd(trapped, 100, 20, DARK))
    trap = next(line.rindex("▲") for line in lines if "▲" in line)
    edge = next(line.index("λ₊") - 1 for line in lines[1:] if "λ₊" in line)
    assert trap > edge


@pytest.mark.parametrize("apart", [1, 3, 6, 20])
def test_two_lines_beside_each_other_never_write_over_each_others_names(apart: float) -> None:
    """In a pane too low for two rows of them."""
    lines = (VLine(50, label="xmin", role="tail"), VLine(50 + apart, label="xmax", role="tail"))
    figure = Figure("two", Axis("λ", "linear", 0, 100), Axis("density", "linear", 0, 1), lines)
    text = "\n".join(lines_of(described(figure, 60, 7, DARK).text()))
    assert re.findall(r"x\w+", text) in (["xmin", "xmax"], ["xmax", "xmin"], ["xmin"])


@pytest.mark.parametrize("size", [(30, 6), (39, 11), (60, 9), (120, 40), (250, 80)])
@pytest.mark.parametrize("axes", [(x, y) for x in ("log", "linear") for y in ("log", "linear")])
def test_spectra_fill_their_size_exactly(trapped: LayerSpectrum, size: tuple[int, int], axes: Scales) -> None:
    for draw in (esd, randomized_esd):
        lines = lines_of(draw(trapped, *size, LIGHT, axes=axes, other=trapped))
        assert len(lines) == size[1]
        assert {len(line) for line in lines} == {size[0]}


@pytest.mark.parametrize(
    "weight",
    [
        np.zeros((20, 30)),
        np.full((20, 30), np.nan),
        np.ones((20, 30)),
        np.eye(20),
        np.random.default_rng(0).normal(size=(4, 4)),
        np.random.default_rng(0).normal(size=(20, 30)) * 1e150,
    ],
    ids=["zeros", "nan", "ones", "identity", "tiny", "huge"],
)
def test_hostile_layers_are_drawn_or_say_why_not(weight: np.ndarray) -> None:
    spectrum = analyze_layer(weight, "fc1", step=0, permutations=2, null_draws=100)
    for draw in (esd, randomized_esd):
        lines = lines_of(draw(spectrum, 60, 10, DARK))
        assert len(lines) == 10
        assert any(line.strip() for line in lines[1:])


def test_a_wide_character_takes_two_cells_and_never_half_of_one() -> None:
    canvas = Canvas(5, 1)
    canvas.put(0, 0, "a層層b")
    assert canvas.text().plain == "a層層"
    canvas.put(0, 4, "層")
    assert canvas.text().cell_len == 5


def test_a_vertical_line_leaves_labels_whole() -> None:
    axis = Axis("x", "linear", 0, 9)
    plot = framed(Figure("", axis, Axis("y")), 14, 6, DARK)
    plot.canvas.put(3, plot.left + 2, "α = 2", DARK.text)
    for column in range(plot.left, plot.right):
        vertical(plot, plot.x_at(column), DARK.cursor, "│")
    row = "".join(plot.canvas.characters[3])
    assert "│α = 2│" in row
