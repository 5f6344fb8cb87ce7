"""Layers × steps and the spectrogram: no value is left out, and the cell of the cursor is named."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.text import Text

from grokscope.analysis.gates import MEASURES as GATES
from grokscope.analysis.timeline import Timeline
from grokscope.app import actions
from grokscope.app.layout import Place
from grokscope.app.plots.heat import LEVELS, heat, shades
from grokscope.app.plots.marks import draw
from grokscope.app.plots.plot import Plot
from grokscope.app.session import Session, at_cursor, timelines
from grokscope.app.state import State
from grokscope.app.views.maps import draw_heatmap, draw_spectrogram, hit_heatmap, hit_spectrogram
from grokscope.figures import Axis, Figure, Heatmap, Points, spectrogram
from grokscope.figures.colors import DARK, LIGHT, Palette
from grokscope.figures.median import median
from grokscope.runfile import Run


@pytest.fixture(scope="module")
def state(analysed_run: Path) -> State:
    """The last checkpoint of the story."""
    sessions = [Session.open(analysed_run)]
    return at_cursor(actions.last(State(timelines(sessions))), sessions)


@pytest.mark.parametrize("draw", [draw_heatmap, draw_spectrogram])
def test_what_is_still_to_be_read_is_not_called_unmeasured(
    analysed_run: Path, draw: Callable[[State, int, int], Text]
) -> None:
    glance = [Session(Run.open(analysed_run))]
    text = draw(at_cursor(actions.last(State(timelines(glance))), glance), 80, 20).plain
    assert "being read" in text
    assert "nothing recorded or analysed" not in text


def colors_of(plot: Plot) -> list[list[str | None]]:
    """The colours of the half cells of an area, from the top."""
    halves: list[list[str | None]] = []
    for row in range(plot.top, plot.top + plot.rows):
        looks = plot.canvas.looks[row][plot.left :]
        halves += [[look[0] for look in looks], [look[1] for look in looks]]
    return halves


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (3, 5), (8, 40), (16, 7), (31, 100), (288, 90)])
@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_every_half_cell_has_the_median_of_what_lies_in_it(layers: int, steps: int, palette: Palette) -> None:
    values = np.random.default_rng(layers).uniform(0, 1, (layers, steps))
    map_ = Heatmap(np.linspace(0, 1, steps + 1), np.arange(layers + 1.0), values, 0.0, 1.0)
    plot = Plot(
        Figure("", Axis("step"), Axis("layer", low=layers, high=0.0), (map_,)), 44, 11, palette, y_ticks=[]
    )
    shared = heat(plot, map_)
    halves, colors = colors_of(plot), shades(palette)
    assert shared == max(1, -(-layers // len(halves)))
    for row, column in np.ndindex(len(halves), plot.columns):
        inside = [
            [k for k in range(n) if part / count <= (k + 0.5) / n < (part + 1) / count]
            or [min(n - 1, int((part + 0.5) / count * n))]
            for n, part, count in ((layers, row, len(halves)), (steps, column, plot.columns))
        ]
        median = np.median(np.median(values[np.ix_(*inside)], axis=0))
        assert halves[row][column] == colors[min(LEVELS - 1, int(median * LEVELS))]


def test_what_is_unknown_is_the_ground() -> None:
    values = np.array([[np.nan, 1.0], [0.5, np.nan]])
    map_ = Heatmap(np.array([0, 0.5, 1.0]), np.arange(3.0), values, 0.5, 1.0)
    plot = Plot(Figure("", Axis("step"), Axis("layer", low=2.0, high=0.0), (map_,)), 6, 4, DARK, y_ticks=[])
    heat(plot, map_)
    assert [row[1] for row in colors_of(plot)] == [DARK.background, DARK.ramp[0]]
    assert [row[2] for row in colors_of(plot)] == [DARK.ramp[-1], DARK.background]


@pytest.mark.parametrize(
    ("measure", "words"), [("alpha", "α {:.2f}"), ("num_traps", "traps {:g}"), ("norm", "‖W‖ {:.1f}")]
)
def test_the_cell_of_the_cursor_is_named_with_its_value(state: State, measure: str, words: str) -> None:
    first = draw_heatmap(replace(state, measure=measure, layer=1), 120, 30).plain.split("\n")[0]
    value = float(state.timeline.measure(measure, "fc2")[state.index])
    assert first.startswith(f" {words.format(value)}  fc2 at step 100,000 ")


@pytest.mark.parametrize("measure", actions.MEASURES)
def test_every_measure_is_drawn(state: State, measure: str) -> None:
    text = draw_heatmap(replace(state, measure=measure), 80, 18).plain
    assert text.count("\n") == 17
    assert "█" in text or "▀" in text


@pytest.mark.parametrize("size", [(80, 18), (120, 30), (200, 50)])
def test_a_click_on_the_marked_cell_gives_its_checkpoint_and_layer(state: State, size: tuple[int, int]) -> None:
    for index, layer in ((11, 0), (7, 1), (4, 2)):
        at = replace(state, index=index, layer=layer)
        lines = draw_heatmap(at, *size).plain.split("\n")
        row = next(k for k, line in enumerate(lines) if "◆" in line)
        action = hit_heatmap(state, Place(lines[row].index("◆"), row, *size))
        assert action is not None
        clicked = action(state)
        assert (clicked.index, clicked.layer) == (index, layer)


def test_a_click_on_the_spectrogram_puts_the_cursor_there(state: State) -> None:
    lines = draw_spectrogram(replace(state, index=5), 120, 30).plain.split("\n")
    action = hit_spectrogram(state, Place(lines[-2].index("▲"), 9, 120, 30))
    assert action is not None
    assert action(state).index == 5


def test_the_spectrogram_has_a_sign_for_each_trap_of_the_description(state: State) -> None:
    figure = spectrogram(state.timeline, "fc2", state.timeline.spectra["fc2"])
    (traps,) = figure.of(Points)
    assert isinstance(traps, Points)
    plot = Plot(figure, 120, 40, DARK)
    draw(plot)
    signs = {
        (row, column)
        for row, cells in enumerate(plot.canvas.characters)
        for column, c in enumerate(cells)
        if c == "•"
    }
    assert signs == {
        (plot.row(y), plot.column(x)) for x, y in zip(traps.x.tolist(), traps.y.tolist(), strict=True)
    }


def test_the_history_of_a_layer_is_what_is_read_one_at_a_time(analysed_run: Path) -> None:
    spectra = Session.open(analysed_run).spectra
    assert spectra is not None
    for index, one in enumerate(spectra.history("fc1")):
        alone = spectra.layer(index, "fc1")
        assert one is not None
        assert alone is not None
        np.testing.assert_array_equal(one.esd, alone.esd)
        assert (one.alpha, one.traps) == (alone.alpha, alone.traps)


def test_the_keys_of_the_map(state: State) -> None:
    shown = actions.measure(state, 1)
    assert (shown.view, shown.measure) == ("heatmap", "alpha")
    assert actions.measure(shown, 1).measure == "num_traps"
    assert actions.measure(shown, -1).measure == [name for name in actions.MEASURES if name not in GATES][-1]

    opened = actions.enter(replace(shown, layer=2))
    assert (opened.view, opened.layer, opened.index) == ("spectrum", 2, state.index)


def test_a_network_without_gates_has_no_map_of_them() -> None:
    state = State((Timeline("a.h5", np.array([0, 1]), 1, layers=("fc1",)),), view="heatmap")
    seen = set()
    for _ in actions.MEASURES:
        state = actions.measure(state, 1)
        seen.add(state.measure)
    assert seen == set(actions.MEASURES) - set(GATES)


def test_layers_of_a_large_model_have_the_telling_part_of_their_names(state: State) -> None:
    names = tuple(f"model.layers.{k}.mlp.up.weight" for k in range(90))
    measures = {("alpha", name): np.full(len(state.timeline.steps), 2.0 + k) for k, name in enumerate(names)}
    run = replace(state.timeline, layers=names, measures=measures)
    lines = draw_heatmap(replace(state, runs=(run,), layer=7), 120, 30).plain.split("\n")
    assert lines[0].startswith(" α 9.00  7 at step 100,000  a row is the median of up to 2 layers")
    assert not any("model" in line for line in lines)


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_median_of_what_is_known_is_numpys(rows: int, axis: int) -> None:
    rng = np.random.default_rng(rows)
    values = np.where(rng.random((rows, 40)) < 0.4, np.nan, rng.normal(size=(rows, 40)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns that hold nothing
        wanted = np.nanmedian(values, axis=axis)
    np.testing.assert_array_equal(median(values, axis=axis), wanted)
