"""Whatever a foreign file names: nothing of it leaves the viewer raw, and it looks as a harmless name does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from rich.style import Style
from rich.text import Text

from grokscope.analysis import Parameters, analyze
from grokscope.analysis.caveats import caveats
from grokscope.app import actions, arrivals
from grokscope.app.export import row_as_text, rows_of
from grokscope.app.glass import compose, strips_of
from grokscope.app.keys import VIEWS
from grokscope.app.session import Session, at_cursor, timelines
from grokscope.app.state import Entry, State
from grokscope.app.views.screen import panes
from grokscope.trajectory import Opening, open_trajectory

HOSTILE = "x\x1b]0;owned\x07\u202e\n\x9b2J"
HARMLESS = "x·]0;owned····2J"
INSIDE = {HOSTILE: (HOSTILE, HOSTILE), HARMLESS: (r"x\x1b]0;owned\x07\u202e\n\x9b2J", "x ]0;owned    2J")}
"""What the arrays and the column of such a folder are called: of the hostile one as they are read."""

WIDTH, HEIGHT = 120, 40
SHEETS = ("", "why", "events", "checkpoints", "help")


def seen(folder: Path, name: str, *, measured: bool = False) -> State:
    """A folder of checkpoints in which everything has that name, as the viewer has it; its troubles, too."""
    folder, (array, column) = folder / name, INSIDE[name]
    folder.mkdir()
    for step in (1, 2, 3):
        weight = np.random.default_rng(step).normal(size=(30, 40)) + 0.4 * (step > 1)
        arrays = {f"{array}.{k}.weight": weight for k in (1, 2)} | {f"{array}.code": np.ones((3, 3), np.int64)}
        np.savez(folder / f"step{step}.npz", **arrays)
    rows = ((step, 1.0, step / 4) for step in (1, 2, 3))
    lines = [f'step,"{column}",test_accuracy', *(",".join(map(str, row)) for row in rows)]
    table = folder / "metrics.csv"
    table.write_text("\n".join(lines))
    run = open_trajectory(folder, Opening(metrics=table))
    if measured:  # the shuffles depend on the layer's name
        analyze(run, parameters=Parameters(permutations=2, null_draws=100))
    sessions = [Session.whole(run)]
    start = at_cursor(actions.last(State(timelines(sessions))), sessions)
    news = (
        partial(arrivals.warned, run=0, caveats=caveats(run)),
        partial(arrivals.looked, run=0, liveness=None, problem=f"there is no {name}"),
        partial(arrivals.analysed, run=0, progress=None, note=f"analysis: {name}"),
        partial(arrivals.listed, entries=(Entry(Path(name), True, problem=name), Entry(Path(name)))),
        partial(replace, folder=name, notice=name),
    )
    return reduce(lambda state, action: action(state), news, start)


def drawn(state: State) -> dict[tuple[str, str], list[str]]:
    """Every view, and every sheet over it, as the rows that are sent."""
    found = {}
    for view, sheet in product(("runs", *VIEWS), SHEETS):
        shown = replace(actions.view(state, view), sheet=sheet)
        rows = compose(panes(shown, WIDTH, HEIGHT), shown, WIDTH, HEIGHT, Style())
        found[view, sheet] = [row.text for row in rows]
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> State:
    return seen(tmp_path_factory.mktemp("measured"), HOSTILE, measured=True)


def test_every_screen_is_that_of_a_harmless_name(tmp_path: Path) -> None:
    hostile, harmless = (drawn(seen(tmp_path, name)) for name in (HOSTILE, HARMLESS))
    assert hostile == harmless


def test_what_no_pane_cleans_is_cleaned_on_its_way_to_the_terminal() -> None:
    assert all(strip.text.isprintable() for strip in strips_of(Text(HOSTILE), WIDTH, Style()))


def test_nothing_raw_is_drawn(measured: State) -> None:
    for rows in drawn(measured).values():
        assert any(HARMLESS in row for row in rows)
        assert all(row.isprintable() for row in rows)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_raw_is_exported(measured: State, view: str) -> None:
    cells = [str(cell) for row in rows_of(actions.view(measured, view)) for cell in row]
    assert any(HARMLESS in cell for cell in cells)
    assert all(cell.isprintable() for cell in cells)


def test_nothing_raw_is_copied(measured: State) -> None:
    copied = row_as_text(measured)
    assert HARMLESS in copied
    assert all(cell.isprintable() for line in copied.split("\n") for cell in line.split("\t"))
