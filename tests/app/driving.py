"""The app driven by keys and mouse, without a terminal but with the real file behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from grokscope.app.app import Microscope
from grokscope.app.session import Session
from grokscope.app.state import State
from grokscope.app.views.screen import Pane
from tests.app.conftest import STEPS

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
