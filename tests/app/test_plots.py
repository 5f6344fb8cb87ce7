"""Plots as text: what is drawn where, from real spectra, with no app running."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import plotext
import pytest
from rich.style import Style
from rich.text import Text

from grokscope.analysis.timeline import Event, Timeline
from grokscope.app.background import leading_direction
from grokscope.app.layout import Place
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.described import described
from grokscope.app.plots.picture import image_side, picture
from grokscope.app.plots.raster import Series, raster
from grokscope.app.plots.timeline import Cursors, timeline
from grokscope.app.state import State
from grokscope.app.views.spectrum import most_bins
from grokscope.app.views.timeline import draw_timeline, hit_timeline
from grokscope.app.views.trajectories import draw_trajectories
from grokscope.figures import Axis, Figure, Scales, VLine, axis_over, dxmin, step_axis
from grokscope.figures import esd as own
from grokscope.figures import randomized as shuffled
from grokscope.figures.axis import Scale
from grokscope.figures.colors import DARK, LIGHT, Palette
from grokscope.spectra import LayerSpectrum, analyze_layer

STEPS = np.array([0, 1, 10, 100, 1000, 10000])
RUN = Timeline(
    run="a.h5",
    steps=STEPS,
    last_step=10000,
    layers=("fc1",),
    metrics={"train_accuracy": np.linspace(0, 1, 6), "test_accuracy": np.array([0, 0, 0, 0.5, 1, 0.2])},
    observed=["pre-grokking"] * 3 + ["grokking"] * 2 + ["anti-grokking"],
    inferred=["undecided"] * 6,
    events=(Event(3, 100, "phase", "grokking begins"),),
)


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


def randomized_canvas(
    spectrum: LayerSpectrum, width: int, height: int, palette: Palette,
    axes: Scales = ("log", "linear"), other: LayerSpectrum | None = None,
) -> Canvas:  # fmt: skip
    figure = shuffled(spectrum, scales=axes, other=other, most_bins=most_bins(width))
    return described(figure, width, height, palette)


def randomized_esd(*arguments: Any, **options: Any) -> Text:
    return randomized_canvas(*arguments, **options).text()


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


@pytest.mark.parametrize("size", [(39, 7), (60, 12), (119, 26), (199, 40)])
@pytest.mark.parametrize("x", ["log", "linear"])
def test_only_bars_with_traps_are_coloured_as_such_and_each_sign_stands_on_one(
    trapped: LayerSpectrum, size: tuple[int, int], x: Scale
) -> None:
    beyond = trapped.lambda_plus * 1.02  # beyond the law's edge, below the edge of noise: no trap
    spectrum = replace(trapped, randomized_esd=np.append(trapped.randomized_esd, beyond))
    canvas = randomized_canvas(spectrum, *size, DARK, axes=(x, "linear"))
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


def test_the_timeline_names_phases_by_letter_and_word() -> None:
    lines = lines_of(timeline(RUN, Cursors(3), 80, 9, DARK))
    assert "P pre-grokking" in lines[0]
    assert "A" in lines[0]
    assert lines[1].strip().startswith("weights")
    assert "?" in lines[1]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(60, 6), (80, 7), (120, 10), (200, 14)])
def test_the_legend_of_the_timeline_is_one_line_and_covers_no_curve(
    count: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = np.array([0, 0, 0, 0.3, 0.8, 0.9])
    others = [replace(RUN, run=f"run-{k}.h5", metrics={"test_accuracy": late - 0.1 * k}) for k in range(count)]

    def dots() -> int:
        drawn = timeline(RUN, Cursors(0), *size, DARK, others=others).plain
        return sum("⠀" < character <= "⣿" for character in drawn)

    with_legend, text = dots(), timeline(RUN, Cursors(0), *size, DARK, others=others).plain
    legend = [line for line in text.split("\n") if "test" in line or "run-" in line or "other run" in line]
    assert len(legend) == 1 or size[1] == 6
    if size[1] > 7:
        assert all(f"run-{k}.h5" in legend[0] for k in range(count)) or f"+ {count} other runs" in legend[0]
    monkeypatch.setattr("grokscope.app.plots.timeline._legend", lambda figure, words: None)
    assert with_legend == dots()


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_the_second_run_has_one_colour_and_no_other_run_or_layer_has_it(palette: Palette) -> None:
    assert palette.runs[0] == palette.mark
    assert len({*palette.runs, palette.train, palette.test, palette.fit}) == len(palette.runs) + 3
    assert palette.mark not in palette.layers
    others = [replace(RUN, run=f"run-{k}.h5") for k in range(2)]
    spans = timeline(RUN, Cursors(0), 120, 10, palette, others=others)
    for k in range(2):
        place = spans.plain.index(f"test run-{k}.h5")
        styles = [span.style for span in spans.spans if span.start <= place < span.end]
        assert [isinstance(one, Style) and one.color and one.color.name for one in styles] == [palette.runs[k]]


def test_the_cursor_stands_at_its_step_with_its_whole_number() -> None:
    lines = lines_of(timeline(RUN, Cursors(5, mark=1), 80, 9, DARK))
    assert "10,000" in lines[-1]
    assert lines[-2].index("▲") == 78, "the last column within the frame"
    assert "◆" in lines[-2]


def test_step_0_has_its_cursor_and_its_phase_wherever_it_stands() -> None:
    late = replace(RUN, steps=np.array([0, 2000, 3000, 4000, 7000, 10000]))
    for window in (None, (0.5, 3000.0)):
        lines = lines_of(draw_timeline(State((late,), window=window), 80, 9))
        assert lines[0].startswith("observed┌│"), "the cursor stands over the letter"
        assert lines[-2].startswith("        └▲")
        assert lines[-1].split()[0] == "0"
        assert "P pre-grokking" in lines_of(draw_timeline(State((late,), index=2, window=window), 80, 9))[0]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("window", [None, (50.0, 10000.0)])
def test_clicking_on_the_cursor_gives_its_checkpoint(
    log: bool, width: int, window: tuple[float, float] | None
) -> None:
    for index in (0, 3, 4, 5):
        state = State((RUN,), index=index, steps_log=log, window=window)
        foot = lines_of(draw_timeline(state, width, 9))[-2].index("▲")
        action = hit_timeline(replace(state, index=1), Place(foot, 4, width, 9)) if window is None else (
            hit_timeline(state, Place(foot, 4, width, 9))
        )  # fmt: skip
        assert action is not None
        same = step_axis([RUN], scale=state.steps_scale).position(
            np.maximum(STEPS[[index, action(state).index]], 0.5)
        )
        assert abs(same[0] - same[1]) * width < 1


def test_step_zero_is_left_of_step_one() -> None:
    feet = [lines_of(timeline(RUN, Cursors(k), 80, 9, DARK))[-2].index("▲") for k in range(6)]
    assert feet == sorted(set(feet))


def measured(values: np.ndarray | list[float], count: int = 1, **fields: Any) -> State:
    """The run with so many layers that all have these alphas."""
    layers = tuple(f"fc{k + 1}" for k in range(count))
    measures = {("alpha", layer): np.asarray(values, dtype=np.float64) + k for k, layer in enumerate(layers)}
    return State(
        (replace(RUN, layers=layers, measures=measures),), view="trajectories", pane=1, full=True, **fields
    )


def test_a_trajectory_names_its_values_at_the_cursor_and_its_references() -> None:
    lines = lines_of(draw_trajectories(measured([np.nan, 4, 5, 6, 2.25, 1.5], index=4), 60, 20))
    assert "fc1 2.25" in lines[0]
    assert any("╌α = 2" in line for line in lines)


@pytest.mark.parametrize("width", [34, 39, 59])
def test_the_first_line_of_a_trajectory_is_always_named_and_the_last_ones_go_by_an_ellipsis(width: int) -> None:
    state = measured(np.full(6, 1.25), 9, index=4, layer=0)
    title = lines_of(draw_trajectories(state, width, 12))[0]
    assert "fc1 1.25" in title
    assert "fc6" not in title
    assert title.rstrip().endswith("…")


@pytest.mark.parametrize("label", range(10))
@pytest.mark.parametrize("height", [8, 10, 13])
def test_a_class_that_swallows_the_rest_is_seen_at_any_height(label: int, height: int) -> None:
    shares = np.full((6, 10), 0.1)
    shares[4:], shares[4:, label] = 0.01, 0.91
    state = State((replace(RUN, predictions=shares),), view="trajectories", pane=1, full=True, index=2)
    text = draw_trajectories(state, 60, height)
    assert "most: 0 with 10 %" in lines_of(text)[0]
    grounds = [span.style.color.name for span in text.spans if isinstance(span.style, Style) and span.style.color]
    grounds += [
        span.style.bgcolor.name for span in text.spans if isinstance(span.style, Style) and span.style.bgcolor
    ]
    assert DARK.ramp[-1] in grounds
    shown = draw_trajectories(replace(state, index=5), 60, height)
    assert f"most: {label} with 91 %" in lines_of(shown)[0]


def test_a_trajectory_without_values_says_so() -> None:
    state = State((replace(RUN, metrics={}),), view="trajectories", full=True)
    assert "nothing recorded" in draw_trajectories(state, 60, 10).plain


@pytest.mark.parametrize(("inputs", "side"), [(784, 28), (64, 8), (200, None), (4, None), (0, None)])
def test_only_square_inputs_are_pictures(inputs: int, side: int | None) -> None:
    assert image_side(inputs) == side


def test_a_picture_shows_two_pixels_a_cell_and_the_largest_in_full_colour() -> None:
    values = np.zeros((8, 8))
    values[0, 0], values[7, 7] = 2.0, -2.0
    canvas = picture(values, DARK)
    assert (canvas.width, canvas.height) == (8, 4)
    halves = halves_of(canvas)
    assert (halves[0][0], halves[7][7], halves[2][1]) == (DARK.positive, DARK.negative, DARK.panel)


def test_a_picture_of_nothing_known_is_as_large_and_blank() -> None:
    canvas = picture(np.full((8, 8), np.nan), DARK)
    assert canvas.characters == [[" "] * 8] * 4
    assert canvas.looks == Canvas(8, 4).looks
    values = np.full((8, 8), np.nan)
    values[3, 4] = -1.0
    assert halves_of(picture(values, DARK))[3][3:6] == [DARK.background, DARK.negative, DARK.background]


def halves_of(canvas: Canvas) -> list[list[str | None]]:
    """The colours of the half cells of a picture, from the top."""
    halves: list[list[str | None]] = []
    for characters, looks in zip(canvas.characters, canvas.looks, strict=True):
        cells = list(zip(characters, looks, strict=True))
        halves.append([look[0] if sign in "▀█" else look[1] for sign, look in cells])
        halves.append([look[0] if sign in "▄█" else look[1] for sign, look in cells])
    return halves


@pytest.mark.parametrize("zoom", [1, 2])
def test_a_picture_of_noise_is_sent_in_few_pieces_and_shows_every_pixel(zoom: int) -> None:
    values = np.random.default_rng(0).normal(size=(28, 28))
    canvas = picture(values, DARK, zoom=zoom)
    halves = np.array(halves_of(canvas))
    shown = [values[halves[::zoom, ::zoom] == color] for color in set(halves.flat)]
    spans = sorted((seen.min(), seen.max()) for seen in shown)
    assert all(one[1] < next_[0] for one, next_ in pairwise(spans)), "a colour stands for one range of values"
    assert len(spans) > 4
    assert np.array_equal(halves, halves[::zoom, ::zoom].repeat(zoom, axis=0).repeat(zoom, axis=1))
    assert len(canvas.text().spans) < 0.8 * values.size / 2


def test_a_wide_character_takes_two_cells_and_never_half_of_one() -> None:
    canvas = Canvas(5, 1)
    canvas.put(0, 0, "a層層b")
    assert canvas.text().plain == "a層層"
    canvas.put(0, 4, "層")
    assert canvas.text().cell_len == 5


@pytest.mark.parametrize("shape", [(20, 64), (64, 20), (30, 30)])
def test_the_leading_direction_is_numpys_first_right_singular_vector(shape: tuple[int, int]) -> None:
    weight = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    kept = weight.copy()
    found = leading_direction(weight)
    expected = np.linalg.svd(weight.astype(np.float64))[2][0]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)
    assert found[np.argmax(np.abs(found))] > 0
    np.testing.assert_array_equal(weight, kept)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_there_is_no_direction_where_there_is_no_finite_weight(value: float) -> None:
    assert np.isnan(leading_direction(np.full((4, 9), value))).all()
