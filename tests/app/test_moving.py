"""Keys move through time, views, layers, traps and axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from grokscope.app.keys import KEYS, VIEWS
from tests.app.conftest import COLLAPSE, GROKKING, STEPS
from tests.app.driving import LAST, app_on, press, screen_of, with_traps

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


PANES = {"overview": ["table", "esd", "randomised"], "spectrum": ["esd", "randomised"]}
"""Of views with several below the timeline."""


async def test_the_views_and_the_way_back(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        for key, view in zip("123456", VIEWS, strict=True):
            await press(pilot, key)
            assert app.state.view == view
            names = [pane.name for pane in app.main.glass.panes]
            assert names == ["header", "status", "timeline", *PANES.get(view, [view]), "footer"]
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


async def test_axes_flip_on_the_pane_in_focus_only(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        before = app.state
        await press(pilot, "x")
        assert app.state.esd_axes[0] != before.esd_axes[0]
        assert app.state.randomised_axes == before.randomised_axes
        await press(pilot, "x", "tab", "y")
        assert app.state.esd_axes == before.esd_axes
        assert app.state.randomised_axes[1] != before.randomised_axes[1]


async def test_the_y_key_in_the_traps_view_says_that_there_is_no_such_axis(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "3", "y")
        assert "no y axis here" in screen_of(app)
        assert not app.state.values_log


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
