"""Actions are pure functions of a state: what keys do, without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from grokscope.analysis.timeline import Event, Timeline
from grokscope.app import actions, arrivals
from grokscope.app.analyst import nearest_to
from grokscope.app.frame import Frame, Layer
from grokscope.app.keys import by_name
from grokscope.app.state import Comparison, Direction, State
from grokscope.app.views.panels import kind_of, panels
from grokscope.app.views.trap_pictures import _pictures, picture_side
from grokscope.figures.panels import strain
from grokscope.runfile.liveness import Liveness
from grokscope.spectra import analyze_layer

STEPS = np.array([0, 1, 10, 100, 1000])
RUN = Timeline(
    "a.h5",
    STEPS,
    1000,
    layers=("fc1", "fc2", "fc3"),
    metrics={"test_accuracy": np.linspace(0, 1, 5), "test_loss": np.ones(5), "circuit_complexity": np.ones(5)},
    events=(Event(1, 1, "trap", "fc1: first trap"), Event(3, 100, "phase", "grokking begins")),
)
OTHER = replace(RUN, run="b.h5", steps=np.array([0, 50, 500]), last_step=500)
START = State((RUN, OTHER), index=2)
RUNNING = Liveness("running", 5, 1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("action", "index"),
    [
        (lambda s: actions.move(s, 1), 3),
        (lambda s: actions.move(s, -10), 0),
        (lambda s: actions.move(s, 10), 4),
        (actions.first, 0),
        (actions.last, 4),
        (lambda s: actions.event(s, 1), 3),
        (lambda s: actions.event(s, -1), 1),
        (lambda s: actions.go_to_step(s, 100), 3),
        (lambda s: actions.go_to_step(s, 90), 3),
        (lambda s: actions.go_to_step(s, 8e5), 4),
        (lambda s: actions.put_cursor(s, 99), 4),
    ],
)
def test_moving_puts_the_cursor_and_disarms(action: Callable[[State], State], index: int) -> None:
    after = action(replace(START, playing=True, following=True))
    assert (after.index, after.playing, after.following) == (index, False, False)


def test_the_last_checkpoint_of_a_live_run_is_followed_and_grows_along() -> None:
    live = replace(START, liveness=RUNNING)
    following = actions.last(live)
    assert following.following
    longer = replace(RUN, steps=np.append(STEPS, 5000))
    assert arrivals.grown(following, (longer, OTHER)).index == 5
    assert arrivals.grown(live, (longer, OTHER)).index == 2


def test_news_of_another_run_changes_nothing() -> None:
    assert arrivals.looked(START, 1, RUNNING, "") is START
    assert arrivals.analysed(START, 1, (1, 2), "") is START
    at_end = actions.last(START)
    assert arrivals.looked(at_end, 0, RUNNING, "").following, "the first look arms following at the end"
    assert not arrivals.looked(START, 0, RUNNING, "").following


def test_playing_goes_on_to_the_end_and_starts_again_there() -> None:
    state = actions.play(START)
    for index in (3, 4):
        state = actions.tick(state)
        assert (state.index, state.playing) == (index, True)
    state = actions.tick(state)
    assert (state.index, state.playing) == (4, False)
    assert actions.tick(state) is state
    assert actions.play(state).index == 0


def test_the_next_run_comes_in_front_at_the_same_step() -> None:
    after = actions.other_run(actions.go_to_step(START, 100))
    assert (after.front, after.step) == (1, 50)
    assert [run.run for run in after.others] == ["a.h5"]
    assert actions.other_run(after).front == 0


@pytest.mark.parametrize("view", ["overview", "spectrum", "trajectories"])
def test_the_next_pane_and_the_previous_one_are_neighbours_in_opposite_directions(view: str) -> None:
    state = actions.view(START, view)
    count = len(panels(state)) if view == "trajectories" else 2
    assert [actions.pane(state, 1).pane, actions.pane(state, -1).pane] == [1, count - 1]
    assert actions.pane(actions.pane(state, 1), -1).pane == 0


def test_gates_have_panes_where_they_mean_something() -> None:
    layers, lit = ("fc1", "fc2", "fc3"), np.full(3, 0.2)
    timeline = Timeline(
        "a.h5", np.arange(3), 2, layers, gated=("fc1", "fc2"), doublings=(float("nan"), 1.0, 6.0),
        metrics={"units_lit_fc1": lit, "purity_fc2": lit},
        measures={(name, layer): lit for layer in layers for name in ("lit", "capacity")},
    )  # fmt: skip

    def lines(timeline: Timeline) -> dict[str, list[str]]:
        shown = panels(replace(START, runs=(timeline,)))
        return {panel.title: [line.name for line in panel.lines] for panel in shown if not isinstance(panel, str)}

    assert lines(timeline)["units that a bright image lights"] == ["fc1", "fc2"]
    assert lines(timeline)["units lit by a training image"] == ["fc1"]
    assert lines(timeline)["class purity of the units"] == ["fc2"]
    assert lines(timeline)["capacity"] == ["fc3"]
    assert lines(timeline)["strain"] == ["network"]
    assert timeline.strain[1:].tolist() == [2.0, 64.0]
    assert strain(timeline).references == ()
    assert strain(replace(timeline, by_strain=True)).references == ((64.0, "64"),)
    state = replace(START, runs=(timeline,))
    kinds = {kind_of(replace(state, pane=pane)) for pane in range(len(panels(state)))}
    assert kinds == {"strain", "lit", "capacity", "units_lit_fc1", "purity_fc2"}
    assert not {"units that a bright image lights", "capacity"} & set(lines(replace(timeline, gated=())))


@pytest.mark.parametrize(("key", "by"), [("tab", 1), ("shift+tab", -1)])
def test_tab_is_bound_to_the_next_pane_and_shift_tab_to_the_previous_one(key: str, by: int) -> None:
    assert (by_name()[key].name, by_name()[key].arguments) == ("pane", (by,))


def test_esc_goes_one_layer_out_at_a_time() -> None:
    state = replace(START, playing=True, mark=1, search=True, view="spectrum")
    seen = []
    for _ in range(4):
        state = actions.leave(state)
        seen.append((state.playing, state.mark, state.search, state.view))
    assert seen == [
        (False, 1, True, "spectrum"),
        (False, None, True, "spectrum"),
        (False, None, False, "spectrum"),
        (False, None, False, "overview"),
    ]


def frame(*names: str) -> Frame:
    return Frame("a.h5", 0, 1, 0, tuple(Layer(name, (2, 2)) for name in names))


@pytest.mark.parametrize(
    ("ours", "theirs", "partners"),
    [
        (("a", "b", "c"), ("c", "a"), ("a", None, "c")),
        (("a", "b"), ("x", "y"), ("x", "y")),
        (("a", "b", "c"), ("x",), ("x", None, None)),
    ],
    ids=["by name", "by place where no name is common", "fewer"],
)
def test_layers_are_compared_with_their_namesakes(
    ours: tuple[str, ...], theirs: tuple[str, ...], partners: tuple[str | None, ...]
) -> None:
    state = replace(START, frame=frame(*ours), comparison=Comparison("other", frame(*theirs)))
    assert state.frame is not None
    found = [state.partner(layer, place) for place, layer in enumerate(state.frame.layers)]
    assert tuple(one and one.name for one in found) == partners


@pytest.mark.parametrize("key", [(0, 1, 0), (0, 2, 1), (1, 2, 0)], ids=["checkpoint", "layer", "run"])
def test_a_direction_of_elsewhere_is_not_shown(key: tuple[int, int, int]) -> None:
    vector = np.ones(4)
    assert arrivals.computed(START, Direction((0, 2, 0), vector)).leading is vector
    assert arrivals.computed(START, Direction(key, vector)).leading is None


def test_a_jump_of_ten_layers_ends_at_the_last_one() -> None:
    assert [actions.select(START, by).layer for by in (1, 10, -1, -10)] == [1, 2, 0, 0]


def test_the_pictures_show_each_input_at_its_place() -> None:
    """Inputs run along the rows of the picture; an entry W[i, j] lies at input j, whatever its row i is."""
    weight = np.random.default_rng(1).normal(size=(40, 64))
    weight[5, 29] = 20.0
    spectrum = analyze_layer(weight, "fc1", step=0, permutations=3, null_draws=200)
    vector = np.arange(64.0)
    state = replace(START, direction=Direction((0, 2, 0), vector))
    direction, entries = _pictures(state, spectrum, 8)
    assert direction.pixels[1, 3] == vector[8 * 1 + 3]
    assert np.argwhere(entries.pixels).tolist() == [[29 // 8, 29 % 8]]


@pytest.mark.parametrize(("shape", "layer", "side"), [((40, 64), 0, 8), ((40, 64), 1, 0), ((40, 60), 0, 0)])
def test_a_direction_is_asked_for_only_where_it_can_be_a_picture(
    shape: tuple[int, int], layer: int, side: int
) -> None:
    layers = (Layer("a", shape), Layer("b", shape))
    assert picture_side(replace(START, frame=Frame("a.h5", 0, 1, 0, layers), layer=layer)) == side
    assert picture_side(START) == 0


@pytest.mark.parametrize(("cursor", "index"), [(0, 1), (4, 3), (9, 8), (6, 8)])
def test_the_nearest_missing_checkpoint_is_measured_next(cursor: int, index: int) -> None:
    assert nearest_to(np.array([1, 3, 8]), cursor) == index


def test_heard_notices_are_gone() -> None:
    marked = actions.mark(replace(START, frame=frame("a")))
    assert (marked.mark, "marked" in marked.notice) == (2, True)
    assert actions.heard(marked).notice == ""
    assert actions.mark(marked).mark is None
