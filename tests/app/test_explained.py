"""What a column or a pane is, in a line; lists of events and checkpoints; every stored metric as a pane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis.timeline import Event, Timeline
from grokscope.app import actions, explanations
from grokscope.app.explanations import explained
from grokscope.app.keys import VIEWS
from grokscope.app.state import State
from grokscope.app.views import table
from grokscope.app.views.footer import footer, topic
from grokscope.app.views.help import help_text
from grokscope.app.views.lists import list_text
from grokscope.app.views.panels import panels
from grokscope.figures import Panel
from grokscope.figures.colors import DARK
from tests.app.driving import app_on, press, screen_of

EVENTS = (Event(1, 10, "phase", "grokking begins"), Event(3, 1000, "trap", "fc1: first trap"))
METRICS = {name: np.linspace(0.1, 0.9, 4) for name in ("train_accuracy", "test_accuracy", "lr", "units_lit_fc1")}
RUN = Timeline(
    "a.h5", np.array([0, 10, 100, 1000]), 1000, layers=("fc1",), metrics=METRICS, events=EVENTS,
    observed=["pre-grokking", *["grokking"] * 3], inferred=["undecided"] * 4,
)  # fmt: skip
START = State((RUN,), index=2)


def test_every_column_of_the_table_is_explained_in_a_line_of_80_cells() -> None:
    assert set(explanations.COLUMNS) == {column.title for column in table.COLUMNS}
    for name in (*explanations.COLUMNS, *explanations.PANES):
        assert len(explained(name)) <= 78, name


def test_every_pane_of_a_trained_run_is_explained() -> None:
    measured = {(field, "fc1"): np.ones(4) for field in ("alpha", "ks_p", "norm", "num_traps", "sigma_mp", "lit")}
    run = replace(RUN, measures=measured, gated=("fc1",), metrics={**METRICS, "train_loss": np.ones(4)})
    titles = {panel.title if isinstance(panel, Panel) else panel for panel in panels(State((run,)))}
    unexplained = {title for title in titles if explained(title).endswith("as it is stored in the run")}
    assert unexplained == {"lr", "units lit by a training image"}


@pytest.mark.parametrize("view", VIEWS)
def test_the_line_says_what_is_looked_at_in_every_view(view: str) -> None:
    state = actions.explain(actions.view(START, view))
    assert explained(topic(state)) in footer(state, 120).plain
    assert footer(actions.explain(state), 120).plain != footer(state, 120).plain
    assert not actions.leave(state).explaining


def test_the_next_column_is_a_key_away() -> None:
    first = actions.column(START, 1)
    assert topic(first) == "α [95 %]"
    assert topic(actions.column(first, 1)) == "noise p"
    assert topic(actions.column(first, -1)) == "weights"
    assert topic(replace(actions.view(first, "spectrum"), pane=1)) == "randomised"


@pytest.mark.parametrize(("sheet", "row", "index"), [("events", 0, 1), ("checkpoints", 2, 2)])
def test_a_list_opens_at_the_cursor_and_enter_goes_to_its_row(sheet: str, row: int, index: int) -> None:
    state = actions.sheet(START, sheet)
    assert state.scroll == row
    assert actions.go_to_row(state).index == index
    last = actions.scroll(state, 1000)
    after = actions.go_to_row(last)
    assert (after.index, after.sheet) == (3, "")
    chosen = [line for line in list_text(last, 75).plain.split("\n") if line.startswith("▸")]
    assert len(chosen) == 1
    assert "1,000" in chosen[0]


def test_a_run_without_events_has_an_empty_list() -> None:
    state = actions.sheet(State((replace(RUN, events=()),), index=2), "events")
    assert "0 events" in list_text(state, 75).plain
    assert actions.go_to_row(state).index == 2


async def test_the_lists_are_on_screen_and_keys_walk_through_them(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "C", "up", "up")
        assert "12 checkpoints" in screen_of(app)
        await press(pilot, "enter")
        assert (app.state.index, app.state.sheet) == (9, "")
        await press(pilot, "E", "home", "enter")
        assert app.state.index == app.state.timeline.events[0].index
        await press(pilot, "E", "escape")
        assert app.state.sheet == ""


def test_every_stored_metric_is_a_pane_once() -> None:
    titles = [panel.title for panel in panels(START) if isinstance(panel, Panel)]
    assert titles.count("lr") == 1
    assert "units_lit_fc1" not in titles, "it has a pane of its own name"
    assert "units lit by a training image" in titles


def test_the_help_says_what_the_mouse_does() -> None:
    assert any(line.startswith("mouse") and "wheel" in line for line in help_text(DARK, 90).plain.split("\n"))
