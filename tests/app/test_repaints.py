"""One action is one repaint, and nothing is sent when nothing has changed."""

from __future__ import annotations

import asyncio
import gc
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.app.artist import leading_direction
from grokscope.app.news import Looked
from grokscope.runfile.liveness import Liveness
from tests.app.conftest import STEPS
from tests.app.driving import app_on, press, screen_of, until


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
