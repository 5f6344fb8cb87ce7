"""Plots over time as text: the timeline with its phases, legend and cursor, and trajectories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.style import Style

from grokscope.analysis.timeline import Event, Timeline
from grokscope.app.layout import Place
from grokscope.app.plots.timeline import Cursors, timeline
from grokscope.app.state import State
from grokscope.app.views.timeline import draw_timeline, hit_timeline
from grokscope.app.views.trajectories import draw_trajectories
from grokscope.figures import Scale, step_axis
from grokscope.figures.colors import DARK, LIGHT, Palette
from tests.app.test_plots import lines_of

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


def test_the_cursor_leaves_the_names_of_phases_whole() -> None:
    steps = np.arange(1, 200)
    run = replace(RUN, steps=steps, last_step=199, metrics={}, observed=["grokking"] * 199, events=())
    run = replace(run, inferred=["anti-grokking"] * 199)
    axis = step_axis([run], scale="linear")
    for index in range(1, 199, 2):
        observed, weights, *plot = lines_of(timeline(run, Cursors(index), 80, 9, DARK, axis=axis))
        assert "grokking" in observed
        assert "anti-grokking" in weights
        assert plot[0].count("│") + plot[0].count("┤") == 3, "the cursor itself is there"


@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize("step", [0, 7, 3_000_000])
def test_a_step_alone_is_the_only_one_on_its_axis(step: int, scale: Scale) -> None:
    axis = step_axis([replace(RUN, steps=np.array([step]), last_step=step)], scale=scale)
    assert [value for value, _ in axis.ticks(5)] == [step], "nothing is known of any other"
    assert axis.position(step) == 0.5
    live = step_axis([replace(RUN, steps=np.array([step]), last_step=10**7)], scale=scale)
    assert len(live.ticks(5)) > 1, "others are planned"


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


def test_a_trajectory_names_its_values_at_the_cursor_and_its_references() -> None:
    lines = lines_of(draw_trajectories(measured([np.nan, 4, 5, 6, 2.25, 1.5], index=4), 60, 20))
    assert "fc1 2.25" in lines[0]
    assert any("╌α = 2" in line for line in lines)


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
    shares[5] = np.nan
    assert "most" not in lines_of(draw_trajectories(replace(state, index=5), 60, height))[0]


def test_a_trajectory_without_values_says_so() -> None:
    state = State((replace(RUN, metrics={}),), view="trajectories", full=True)
    assert "nothing recorded" in draw_trajectories(state, 60, 10).plain
