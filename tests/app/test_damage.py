"""A checkpoint that is not what was written is marked as such, and nothing else is said of it."""

from __future__ import annotations

import fcntl
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import h5py
import numpy as np
import pytest
from textual.message import Message

from grokscope.app.analyst import Analyst
from grokscope.app.app import Microscope
from grokscope.app.news import Analysed, Damaged
from grokscope.app.screenshot import take
from grokscope.app.session import Session
from grokscope.runfile import Run
from tests.app.conftest import GROKKING, LAYERS
from tests.app.driving import press, screen_of, until
from tests.waiting import wait_until

MARK, CELL = "DAMAGED", "damaged: its bytes do not match their CRC"


def damage(path: Path, index: int, name: str = "metrics/test_accuracy") -> None:
    with h5py.File(path, "r+") as file:
        file[name][index] += 0.25


@pytest.mark.parametrize("name", ["metrics/test_accuracy", "layers/fc2/weight"])
async def test_damage_to_what_was_measured_before_is_found_and_marked(own_run: Path, name: str) -> None:
    damage(own_run, GROKKING, name)
    app = Microscope([Session.open(own_run)], watching=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: bool(app.session.damaged))
        assert MARK not in screen_of(app)
        assert np.isnan(app.state.timeline.metric("test_accuracy")[GROKKING])
        await press(pilot, "g", *["right"] * GROKKING)
        assert MARK in screen_of(app)
        assert screen_of(app).count(CELL) >= len(LAYERS)
        await press(pilot, "right")
        assert MARK not in screen_of(app)


async def test_damage_that_is_met_while_measuring_is_marked(story: Callable[..., Path]) -> None:
    path = story(2)
    damage(path, 1)
    app = Microscope([Session.open(path)], watching=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: MARK in screen_of(app))
        assert CELL in screen_of(app)


async def test_a_sound_run_in_the_place_of_a_damaged_one_is_to_be_measured(
    story: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("analyst.LOCKED_SECONDS", "background.LOOK_SECONDS"):
        monkeypatch.setattr(f"grokscope.app.{name}", 0.1)
    path = story(1)
    damage(path, 0)
    app = Microscope([Session.open(path)])
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: MARK in screen_of(app))
        story(1, "other.h5", seed=1).replace(path)
        await until(pilot, lambda: MARK not in screen_of(app))
        await until(pilot, lambda: not app.background.analyst.damaged)


@pytest.mark.parametrize("gone", [True, False])
def test_what_could_not_be_verified_is_verified_once_it_can(
    own_run: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    """The process is killed while it verifies, or the file is not there."""
    monkeypatch.setattr("grokscope.app.analyst.LOCKED_SECONDS", 0.1)
    damage(own_run, GROKKING)
    told: list[Message] = []
    analyst = Analyst([Run(own_run)], told.append, lambda: (0, 0))
    process = analyst._running()
    process.send_signal(signal.SIGSTOP)
    analyst.start()
    try:
        assert process.stdin is not None
        wait_until(lambda: bool(unread(process.stdin)))
        if gone:
            own_run.rename(own_run.with_name("away"))
        process.send_signal(signal.SIGCONT if gone else signal.SIGKILL)
        wait_until(lambda: any(isinstance(one, Analysed) and "analysis: " in one.note for one in told))
        if gone:
            own_run.with_name("away").rename(own_run)
        wait_until(lambda: any(isinstance(one, Damaged) and one.indices == (GROKKING,) for one in told))
        wait_until(lambda: isinstance(told[-1], Analysed) and not told[-1].note)
    finally:
        analyst.end()
        analyst.join()


def unread(pipe: TextIO) -> int:
    """How many bytes are written to a pipe and not yet read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_picture_marks_damage_and_no_phase_begins_twice(own_run: Path, tmp_path: Path) -> None:
    sound = Session.open(own_run)
    damage(own_run, GROKKING + 1)
    seen = Session.whole(Run(own_run), range(len(sound.timeline.steps)))
    assert seen.damaged == (GROKKING + 1,)
    assert [event.text for event in seen.timeline.events] == [event.text for event in sound.timeline.events]
    picture = tmp_path / "picture.svg"
    assert take([Run(own_run)], picture, 120, 40, ["g", *["right"] * (GROKKING + 1)]) == []
    assert MARK in picture.read_text()
