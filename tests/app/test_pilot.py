"""The app driven by keys and mouse, without a terminal but with the real file behind it."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from textual import events
from textual.pilot import Pilot

from grokscope.analysis import Spectra
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.app import actions
from grokscope.app.app import Microscope
from grokscope.app.artist import leading_direction
from grokscope.app.keys import KEYS, VIEWS
from grokscope.app.news import Looked
from grokscope.app.session import Session
from grokscope.app.state import State
from grokscope.app.views.screen import Pane
from grokscope.runfile import Run
from grokscope.runfile.liveness import Liveness
from grokscope.steps import parse_step
from tests.app.conftest import COLLAPSE, GROKKING, PLANTED, STEPS

LAST = len(STEPS) - 1


def app_on(*runs: Path) -> Microscope:
    return Microscope([Session.open(run) for run in runs], analysis=False, watching=False)


async def press(pilot: Pilot[str], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def screen_of(app: Microscope) -> str:
    """What is on screen, as lines of text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[str], condition: Callable[[], bool], seconds: float = 20) -> None:
    """Let the app run until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, screen_of(pilot.app)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
    await pilot.pause()


async def test_garbage_is_looked_for_again_once_the_first_frame_is_there(analysed_run: Path) -> None:
    gc.disable()
    try:
        async with app_on(analysed_run).run_test() as pilot:
            await pilot.pause()
            assert gc.isenabled()
            assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()


MOVES = [
    (["g"], 0),
    (["g", "G"], LAST),
    (["left"], LAST - 1),
    (["h", "h"], LAST - 2),
    (["left", "right"], LAST),
    (["right"], LAST),
    (["g", "left"], 0),
    (["g", "l", "l"], 2),
    (["shift+left"], LAST - 10),
    (["H", "H"], 0),
    (["g", "shift+right"], 10),
    (["g", "L", "L"], LAST),
    (["g", "right_square_bracket"], GROKKING),
    (["g", "]", "]"], COLLAPSE),
    (["["], COLLAPSE),
    (["[", "left_square_bracket"], GROKKING),
    (["colon", *"1000", "enter"], STEPS.index(1000)),
    ([":", *"2.5k", "enter"], STEPS.index(3000)),
    ([":", *"nonsense", "enter", "escape"], LAST),
    ([":", "escape"], LAST),
]


@pytest.mark.parametrize(("keys", "index"), MOVES, ids=[" ".join(keys) for keys, _ in MOVES])
async def test_keys_move_the_cursor(analysed_run: Path, keys: list[str], index: int) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *keys)
        assert app.state.index == index
        assert app.state.frame is not None
        assert app.state.frame.step == STEPS[index]


@pytest.mark.parametrize("view", VIEWS)
async def test_every_key_in_every_view_leaves_a_sound_screen(own_run: Path, view: str) -> None:
    app = app_on(own_run)
    async with app.run_test(size=(80, 24)) as pilot:
        for key in KEYS:
            if key.action in {"quit", "python", "suspend_process"}:
                continue
            for name in key.keys:
                while len(app.screen_stack) > 1:
                    app.pop_screen()
                app.put(replace(app.state, prompt="", sheet="", view=view, playing=False))
                await press(pilot, name)
                assert app.is_running, name
                assert app._exception is None, name
                if len(app.screen_stack) == 1 and not app.state.sheet:
                    assert f"{STEPS[app.state.index]:,}" in screen_of(app), name


async def test_the_views_and_the_way_back(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        for key, view in zip("123456", VIEWS, strict=True):
            await press(pilot, key)
            assert app.state.view == view
            assert view.removeprefix("over") in " ".join(pane.name for pane in app.main.glass.panes) or key in "12"
        await press(pilot, "escape")
        assert app.state.view == "overview"


async def test_layers_are_selected_and_shown_in_the_plots(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        assert "ESD fc1" in screen_of(app)
        await press(pilot, "down", "j", "j", "j")
        assert app.state.layer == 2
        assert "ESD fc3" in screen_of(app)
        await press(pilot, "up")
        assert "randomised fc2" in screen_of(app)
        await press(pilot, "k", "k", "k")
        assert app.state.layer == 0


async def test_the_numbers_on_screen_are_those_of_the_spectra_file(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    spectra = Spectra.open(Run.open(analysed_run))
    async with app.run_test(size=(120, 40)) as pilot:
        for index in (0, GROKKING, LAST):
            app.act(partial(actions.put_cursor, index=index))
            await pilot.pause()
            text = screen_of(app)
            for layer in ("fc1", "fc2", "fc3"):
                spectrum = spectra.layer(index, layer)
                assert spectrum is not None
                row = next(line for line in text.split("\n") if f" {layer} " in line and "ESD" not in line)
                assert f"{spectrum.alpha:,.2f} [{spectrum.alpha_low:.1f}, {spectrum.alpha_high:.1f}]" in row
                assert f" {spectrum.num_tail} " in row
                assert f"{spectrum.sigma_mp:.3f}" in row


async def test_phases_are_told_by_letter_and_word(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        for index, words in ((0, "P PRE-GROKKING"), (GROKKING, "G GROKKING"), (LAST, "A ANTI-GROKKING")):
            app.act(partial(actions.put_cursor, index=index))
            await pilot.pause()
            assert words in screen_of(app).split("\n")[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_is_not_analysed_is_no_verdict(story: Callable[..., Path], size: tuple[int, int]) -> None:
    app = app_on(story())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = screen_of(app)
        assert "weights│· not known" in text, "in the band"
        assert "undecided" not in text
        assert "?" not in text.split("\n")[0]
        assert {event.kind for event in app.state.timeline.events} == {"phase"}


async def test_axes_flip_on_the_pane_in_focus_only(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        before = app.state
        await press(pilot, "x")
        assert app.state.esd_axes[0] != before.esd_axes[0]
        assert app.state.randomized_axes == before.randomized_axes
        await press(pilot, "x", "tab", "y")
        assert app.state.esd_axes == before.esd_axes
        assert app.state.randomized_axes[1] != before.randomized_axes[1]


async def test_a_mark_compares_two_checkpoints(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "g", "m")
        assert app.state.comparison is None
        await press(pilot, "G")
        text = screen_of(app)
        assert app.state.comparison is not None
        assert app.state.comparison.frame.step == 0
        assert "compared with step 0" in text
        assert text.count("Δ") == 3
        spectra = Spectra.open(Run.open(analysed_run))
        first, last = spectra.layer(0, "fc1"), spectra.layer(LAST, "fc1")
        assert first is not None
        assert last is not None
        assert f"{last.alpha - first.alpha:+.2f}" in text
        await press(pilot, "escape")
        assert app.state.mark is None
        assert "Δ" not in screen_of(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("runs", [1, 2])
async def test_a_comparison_covers_no_label_and_shows_every_layer(
    own_run: Path, size: tuple[int, int], runs: int
) -> None:
    app = app_on(*[own_run] * runs)
    async with app.run_test(size=size) as pilot:
        await press(pilot, *(["m", "left", "left"] if runs == 1 else ["left"]))
        text = screen_of(app)
        titles = next(line for line in text.split("\n") if line.startswith("  layer "))
        assert all(title.isalnum() or title in "α ± σ λ₊ σ_mp ‖W‖ |w| [95 %]" for title in titles.split())
        assert text.count("Δ") == 3
        plots = text[text.index("ESD fc1") :].partition("\n")[2]
        assert "xmin" in plots
        assert "λ₊" in plots
        pane = pane_of(app, "table")
        assert all(line.strip() for line in text.split("\n")[pane.row : pane.row + pane.height]), (
            "no row stays blank"
        )


async def test_the_rows_of_differences_hold_no_plain_values(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(200, 60)) as pilot:
        await press(pilot, "g", "m", "G")
        rows = [line for line in screen_of(app).split("\n") if line.startswith("    Δ")]
        assert len(rows) == 3
        for row in rows:
            for word in re.split(r" {2,}| (?=[+-])", row.strip())[1:]:
                assert word[0] in "+-≠–", row


async def test_a_table_without_room_says_which_layers_it_shows(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(60, 20)) as pilot:
        await press(pilot, "m", "left")
        assert "  1–2/3 " in screen_of(app)
        await press(pilot, "down", "down")
        assert "  2–3/3 " in screen_of(app)
        assert " fc3 " in screen_of(app)


async def test_two_runs_share_a_timeline_and_a_cursor(analysed_run: Path, story: Callable[..., Path]) -> None:
    other = story(8, "shorter.h5", seed=1)
    app = app_on(analysed_run, other)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.state.comparison is not None
        assert app.state.comparison.name == "shorter.h5 at 1,000"
        assert "test shorter.h5" in screen_of(app)
        await press(pilot, "g", "l", "l")
        assert app.state.comparison.frame.step == STEPS[2]
        await press(pilot, "o")
        assert app.session.run.path == other
        assert app.state.frame is not None
        assert app.state.frame.step == STEPS[2]


async def test_traps_are_listed_with_their_cause_and_entries(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    row, column, value = PLANTED
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3")
        await app.settled()
        await pilot.pause()
        text = screen_of(app)
        assert "entries: a few large entries make it" in text
        assert f"W[{row},{column}]={value:+.3g}" in text
        assert "leading direction v₁ of W" in text
        assert "pixels of the trap's entries" in text
        await press(pilot, "down")
        assert "mean: the entries' mean is shifted" in screen_of(app)


async def test_the_arrows_walk_through_the_traps_of_all_layers_and_the_footer_says_so(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3")
        assert "↑ ↓ layer" in screen_of(app)
        await press(pilot, "tab")
        assert "↑ ↓ trap" in screen_of(app)
        app.put(with_traps(app.state, 3))
        walked = []
        for key in ["down"] * 5 + ["up"] * 5:
            await press(pilot, key)
            walked.append((app.state.layer, app.state.trap))
        there = [(0, 1), (0, 2), (1, 0), (2, 0), (2, 0)]
        assert walked == [*there, (1, 0), (0, 2), (0, 1), (0, 0), (0, 0)]


async def test_keys_typed_at_once_are_heard_in_their_order(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        for key, character in (("3", "3"), ("tab", None), ("down", None)):
            app.post_message(events.Key(key, character))
        await pilot.pause(0.2)
        assert (app.state.view, app.state.pane, app.state.layer) == ("traps", 1, 1)


async def test_the_y_key_in_the_traps_view_says_that_there_is_no_such_axis(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "y")
        assert "no y axis here" in screen_of(app)
        assert not app.state.values_log


async def test_playing_goes_on_by_itself_and_stops_at_a_key(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "g", "space")
        await pilot.pause(0.8)
        assert 1 <= app.state.index < LAST
        await press(pilot, "left")
        assert not app.state.playing


async def test_holding_right_drops_no_key(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "g")
        await press(pilot, *["right"] * LAST)
        assert app.state.index == LAST
        assert app.state.frame is not None
        assert app.state.frame.index == LAST


def pane_of(app: Microscope, name: str) -> Pane:
    """A pane that is on screen."""
    return next(pane for pane in app.main.glass.panes if pane.name == name)


def with_traps(state: State, count: int) -> State:
    """The state with that many traps in the first layer, each a copy of its own."""
    assert state.frame is not None
    first, *others = state.frame.layers
    assert first.spectrum is not None
    trap = first.spectrum.traps[0]
    traps = tuple(replace(trap, eigenvalue=1000.0 - k) for k in range(count))
    spectrum = replace(first.spectrum, traps=traps)
    first = replace(first, read=lambda: spectrum)
    return replace(state, frame=replace(state.frame, layers=(first, *others)))


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_weightwatcher_s_own_numbers_stand_beside_ours_where_there_are_any(
    own_run: Path, size: tuple[int, int]
) -> None:
    with SpectraWriter(Run.open(own_run)) as writer:
        writer.write_weightwatcher(LAST, "fc2", {"alpha": 2.345678, "D": 0.0625, "rand_num_spikes": 3.0})
    app = app_on(own_run)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "2")
        assert "WeightWatcher" not in screen_of(app), "none for fc1"
        await press(pilot, "down")
        line = next(line for line in screen_of(app).split("\n") if "WeightWatcher" in line)
        assert "alpha 2.346  D 0.06250  rand_num_spikes 3" in line
        await press(pilot, "left")
        assert "WeightWatcher" not in screen_of(app), "none for another checkpoint"
        await press(pilot, "right", "1")
        assert "WeightWatcher" not in screen_of(app), "none in the overview"


async def test_the_palette_has_every_action(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "ctrl+p")
        await press(pilot, *"First checkpoint")
        await pilot.pause(0.4)
        await press(pilot, "enter")
        await pilot.pause(0.3)
        assert app.state.index == 0
    offered = {key.palette for key in KEYS if key.palette}
    assert len(offered) >= len(KEYS) - 5


@pytest.mark.parametrize("size", [(59, 24), (80, 19), (20, 5), (1, 1)])
async def test_a_tiny_terminal_gets_a_sentence_and_recovers(analysed_run: Path, size: tuple[int, int]) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if size[0] >= 20:
            assert "grokscope" in screen_of(app)
            assert "ESD" not in screen_of(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "ESD fc1" in screen_of(app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60), (250, 80)])
@pytest.mark.parametrize("view", VIEWS)
async def test_no_line_is_longer_than_the_terminal(analysed_run: Path, size: tuple[int, int], view: str) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        app.act(partial(actions.view, name=view))
        await pilot.pause()
        lines = screen_of(app).split("\n")
        assert len(lines) == size[1]
        assert {len(line) for line in lines} == {size[0]}


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("view", VIEWS)
async def test_a_run_of_no_or_one_checkpoint(story: Callable[..., Path], count: int, view: str) -> None:
    app = app_on(story(count))
    async with app.run_test(size=(80, 24)) as pilot:
        app.act(partial(actions.view, name=view))
        for key in ("right", "left", "G", "g", "]", "[", "m", "e", "c", "space", "down", "tab", "x", "y", "p"):
            await press(pilot, key)
            assert app._exception is None
        assert ("no checkpoints yet" in screen_of(app)) is (count == 0)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("500000", 5e5),
        ("500k", 5e5),
        ("2.2e5", 2.2e5),
        ("1,000", 1e3),
        ("3M", 3e6),
        ("", None),
        ("-1", None),
        ("x", None),
    ],
)
def test_steps_are_understood_as_people_write_them(text: str, step: float | None) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize("keys", [["left"], ["4"], ["1"], ["m"], ["t"], ["tab"], ["?"], ["w"], [":"]])
async def test_one_action_is_one_repaint(
    analysed_run: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "2")
        sent: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, update: sent.append(update) if update else None)
        await press(pilot, *keys)
        await pilot.pause(0.1)
        assert len(sent) == 1


@pytest.mark.parametrize("keys", [["left"], ["3"], ["down"], ["tab"]])
async def test_a_step_of_the_traps_view_is_one_repaint_with_its_picture(
    analysed_run: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grokscope.app.app.PICTURE_SECONDS", 20.0)
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *(["3"] if keys != ["3"] else ["2"]))
        await app.settled()
        await pilot.pause(0.1)
        sent: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, update: sent.append(update) if update else None)
        await press(pilot, *keys)
        await app.settled()
        await pilot.pause(0.1)
        assert len(sent) == 1
        assert app.state.leading is not None or app.state.layer


async def test_a_picture_that_takes_long_is_not_waited_for(
    analysed_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slowly(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        asked.set()
        go_on.wait(20)
        return leading_direction(weight)

    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3")
        await app.settled()
        await pilot.pause(0.1)
        monkeypatch.setattr("grokscope.app.artist.leading_direction", slowly)
        await press(pilot, "H")
        await asyncio.to_thread(asked.wait, 20)
        await until(pilot, lambda: "2/12" in screen_of(app))
        assert app.state.leading is None
        go_on.set()
        await until(pilot, lambda: app.state.leading is not None)


async def test_news_that_change_nothing_send_nothing(analysed_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        liveness = Liveness("finished", STEPS[-1], 0.0, 9.0, 0.0)
        app.post_message(Looked(0, liveness, False))
        await pilot.pause(0.1)
        sent: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, update: sent.append(update) if update else None)
        for age in (10.0, 11.0):
            app.post_message(Looked(0, replace(liveness, seconds_since=age), False))
            await pilot.pause(0.1)
        assert sent == []


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60)])
async def test_no_alpha_stands_without_its_interval_and_its_chance_under_noise(
    analysed_run: Path, size: tuple[int, int]
) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "G")
        text = screen_of(app)
        assert app.state.frame is not None
        for layer in app.state.frame.layers:
            assert layer.spectrum is not None
            one = layer.spectrum
            row = next(line for line in text.split("\n") if f" {layer.name} " in line and "ESD" not in line)
            assert f"{one.alpha:.2f} [{one.alpha_low:.1f}, {one.alpha_high:.1f}]" in row
            assert f" {one.alpha_p:.3f} " in row
