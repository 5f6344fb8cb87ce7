"""Every size of terminal and of run leaves a sound screen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from grokscope.app import actions
from grokscope.app.keys import VIEWS
from tests.app.driving import app_on, press, screen_of


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
async def test_no_line_is_longer_than_the_terminal(analysed_run: Path, size: tuple[int, int]) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        for view in VIEWS:
            app.act(partial(actions.view, name=view))
            await pilot.pause()
            lines = screen_of(app).split("\n")
            assert len(lines) == size[1], view
            assert {len(line) for line in lines} == {size[0]}, view


async def test_a_table_without_room_says_which_layers_it_shows(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(60, 20)) as pilot:
        await press(pilot, "m", "left")
        assert "  1–2/3 " in screen_of(app)
        await press(pilot, "down", "down")
        assert "  2–3/3 " in screen_of(app)
        assert " fc3 " in screen_of(app)


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
