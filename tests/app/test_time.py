"""Time in the plots: zooming, clicking, filling the screen, and no curve where nothing was measured."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.style import Style
from textual.events import MouseScrollUp

from grokscope.analysis.timeline import Timeline
from grokscope.app import actions
from grokscope.app.layout import Place
from grokscope.app.plots.timeline import Cursors, timeline
from grokscope.app.state import State
from grokscope.app.views.timeline import draw_timeline
from grokscope.app.views.trajectories import draw_trajectories, hit_trajectories
from grokscope.figures.colors import DARK
from tests.app.conftest import STEPS
from tests.app.driving import app_on, press, screen_of

LATE = np.array([0, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 10000])
FIELDS = ("alpha", "alpha_low", "alpha_high", "num_tail", "alpha_p")


def a_run(steps: np.ndarray = LATE, tail: float = 60.0) -> Timeline:
    """Memorised at once, with one layer whose alpha is 3."""
    count = len(steps)
    values = dict(zip(FIELDS, (3.0, 2.5, 3.5, tail, 1e-3), strict=True))
    return Timeline(
        "a.h5", steps, int(steps[-1]), ("fc1",), {"test_accuracy": np.linspace(0, 1, count)},
        {(name, "fc1"): np.full(count, value) for name, value in values.items()}, observed=["grokking"] * count,
    )  # fmt: skip


def colors_of(state: State, width: int, height: int, characters: str = "") -> set[str]:
    """The inks of some characters, or all the grounds, of the trajectories view."""
    text, found = draw_trajectories(state, width, height), set()
    for span in text.spans:
        style = span.style
        assert isinstance(style, Style)
        ink = style.color if characters else style.bgcolor
        if ink is not None and (not characters or set(text.plain[span.start : span.end]) & set(characters)):
            found.add(ink.name)
    return found


ALPHA = State((a_run(),), index=4, view="trajectories", pane=1, full=True)


@pytest.mark.parametrize("index", [0, 3, 7, 11])
@pytest.mark.parametrize("log", [True, False])
def test_zooming_in_keeps_the_cursor_and_zooming_out_ends_at_the_whole_run(index: int, log: bool) -> None:
    steps = np.array(STEPS)
    state = State(
        (Timeline("a.h5", steps, STEPS[-1], observed=["grokking"] * len(steps)),), index=index, steps_log=log
    )
    shown = [state]
    for _ in range(3):
        shown.append(actions.zoom(shown[-1], 1))
        low, high = shown[-1].shown_steps or (np.nan, np.nan)
        assert low <= max(STEPS[index], 0.5 if log else 0) <= high * 1.0000001
    lengths = [len(one.window or ()) for one in shown]
    assert lengths == [0, 2, 2, 2]
    assert actions.zoom(shown[3], 0).window is None
    out = shown[3]
    for _ in range(3):
        out = actions.zoom(out, -1)
    assert out.window is None


def test_the_shown_stretch_follows_the_cursor() -> None:
    state = actions.zoom(actions.zoom(State((a_run(),), index=1), 1), 1)
    assert "▲" in draw_timeline(actions.last(state), 80, 9).plain
    low, high = actions.last(state).shown_steps or (0, 0)
    assert high == pytest.approx(10000)
    assert low > 500


async def test_the_wheel_with_ctrl_zooms(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        event = partial(MouseScrollUp, app.main.glass, 40, 4, 0, 0, 0, False, False)
        app.main.glass.on_mouse_scroll_up(event(True))
        await pilot.pause()
        assert app.state.window is not None
        assert app.state.index == len(STEPS) - 1


@pytest.mark.parametrize("full", [True, False])
def test_a_click_on_a_trajectory_puts_the_cursor_there(full: bool) -> None:
    state = replace(ALPHA, full=full)
    lines = draw_trajectories(state, 80, 24).plain.split("\n")
    frame = max(line.rfind("│") for line in lines)
    column = max(line.rfind("│", 0, frame - 1) for line in lines[4:10])
    action = hit_trajectories(replace(state, index=0), Place(column, 4, 80, 24))
    assert action is not None
    clicked = action(replace(state, index=0))
    assert (clicked.index, clicked.pane) == (4, 1)


async def test_enter_fills_the_screen_with_a_pane_and_its_legend_and_esc_gives_the_others_back(
    analysed_run: Path,
) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        before = screen_of(app)
        await press(pilot, "tab", "enter")
        alone = screen_of(app)
        assert [pane.name for pane in app.main.glass.panes] == ["header", "randomised", "footer"]
        assert "Marchenko–Pastur" in alone
        assert "esc all panes" in alone
        assert "↑ density per unit of λ" in alone
        await press(pilot, "escape", "tab")
        assert screen_of(app) == before


def test_no_curve_is_drawn_where_no_checkpoint_is() -> None:
    """From the initialisation to step 1,000 nothing was saved."""
    text = timeline(a_run(), Cursors(8), 100, 12, DARK).plain.split("\n")
    start, end = (text[-1].index(label) for label in ("0 ", "1k"))
    between = {line[column] for line in text[2:-2] for column in range(start + 2, end - 1)}
    assert not {c for c in between if "⠀" < c <= "⣿"}
    assert any("⠀" < c <= "⣿" for line in text[2:-2] for c in line[end + 2 :])


@pytest.mark.parametrize("width", [36, 60, 200])
def test_the_interval_of_the_selected_layer_is_drawn_at_every_width(width: int) -> None:
    assert DARK.shade in colors_of(ALPHA, width, 14)


@pytest.mark.parametrize(("tail", "undecided"), [(60.0, False), (6.0, True)])
def test_an_alpha_that_decides_nothing_is_in_another_ink(tail: float, undecided: bool) -> None:
    """On the curve of every layer, not of the selected one alone."""
    run = a_run(tail=tail)
    second = {(name, "fc2"): values + 2 * (name.startswith("alpha_") or name == "alpha")
              for (name, _), values in run.measures.items()}  # fmt: skip
    two = replace(run, layers=("fc1", "fc2"), measures={**run.measures, **second})
    inks = {DARK.role(f"undecided layer{k}") for k in range(2)}
    found = colors_of(replace(ALPHA, runs=(two,)), 80, 20, "•") & inks
    assert found == (inks if undecided else set())
    assert not inks & {*DARK.layers, DARK.muted}


def test_the_front_run_is_drawn_over_another_that_is_the_same() -> None:
    run = replace(a_run(), metrics={})
    state = replace(ALPHA, runs=(run, replace(run, run="b.h5")), pane=0, full=False)
    braille = "".join(map(chr, range(0x2801, 0x2900)))
    assert colors_of(state, 80, 20, braille) == {DARK.layers[0]}


def test_a_short_phase_is_named_by_its_letter_once() -> None:
    run = a_run(np.unique(np.round(np.logspace(0, 5, 60)).astype(int)))
    short = replace(run, observed=["grokking"] * 50 + ["anti-grokking"] * (len(run.steps) - 50))
    line = timeline(short, Cursors(0), 80, 9, DARK).plain.split("\n")[0]
    assert line.count("A") == 1
    assert "AA" not in line
