"""A checkpoint that is not what was written is marked as such, and nothing else is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.app.app import Microscope
from grokscope.app.screenshot import take
from grokscope.app.session import Session
from grokscope.runfile import Run
from tests.app.conftest import GROKKING, LAYERS
from tests.app.driving import press, screen_of, until

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


def test_a_picture_marks_damage_and_no_phase_begins_twice(own_run: Path, tmp_path: Path) -> None:
    sound = Session.open(own_run)
    damage(own_run, GROKKING + 1)
    seen = Session.whole(Run(own_run), range(len(sound.timeline.steps)))
    assert seen.damaged == (GROKKING + 1,)
    assert [event.text for event in seen.timeline.events] == [event.text for event in sound.timeline.events]
    picture = tmp_path / "picture.svg"
    assert take([Run(own_run)], picture, 120, 40, ["g", *["right"] * (GROKKING + 1)]) == []
    assert MARK in picture.read_text()
