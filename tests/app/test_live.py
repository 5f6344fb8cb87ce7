"""A real trainer process writes; the app follows it, tells how it stands, and never disturbs it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grokscope.analysis import Spectra
from grokscope.app.app import Microscope
from grokscope.app.session import Session
from grokscope.runfile import Run
from tests.app.conftest import STEPS
from tests.app.driving import press, screen_of, until

ROOT = Path(__file__).parent.parent.parent


class Trainer:
    """The trainer process, told when to write the next checkpoint."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.writing_process", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def commit(self, count: int = 1) -> None:
        """Write checkpoints and wait until each is acknowledged."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for _ in range(count):
            self.process.stdin.write("commit\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline().strip().isdigit(), "the trainer's write failed"

    def finish(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("finish\n")
        self.process.stdin.flush()
        assert self.process.wait(timeout=20) == 0

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=20)


@pytest.fixture
def trainers(tmp_path: Path) -> Iterator[Callable[[], Trainer]]:
    started: list[Trainer] = []

    def start() -> Trainer:
        started.append(Trainer(tmp_path / "live.h5"))
        return started[-1]

    yield start
    for trainer in started:
        if trainer.process.poll() is None:
            trainer.kill()


async def test_following_a_trainer_through_its_life(trainers: Callable[[], Trainer], tmp_path: Path) -> None:
    trainer = trainers()
    await asyncio.to_thread(trainer.commit, 3)
    app = Microscope([Session.open(tmp_path / "live.h5")], analysis=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.state.live and app.state.following)
        assert "● LIVE FOLLOW" in screen_of(app)
        await until(pilot, lambda: "50.0 steps/s" in screen_of(app))

        await asyncio.to_thread(trainer.commit, 2)
        await until(pilot, lambda: app.state.index == 4)

        await press(pilot, "left")
        assert not app.state.following
        await asyncio.to_thread(trainer.commit, 1)
        await until(pilot, lambda: app.session.num_checkpoints == 6)
        assert app.state.index == 3, "scrubbing disarms following"
        await press(pilot, "G")
        assert app.state.following
        assert app.state.index == 5

        trainer.kill()
        await until(pilot, lambda: "✕ CRASHED" in screen_of(app))
        assert not app.state.following

        second = trainers()
        await asyncio.to_thread(second.commit, 1)
        await until(pilot, lambda: app.state.live and app.session.num_checkpoints == 7)
        await asyncio.to_thread(second.commit, len(STEPS) - 7)
        await asyncio.to_thread(second.finish)
        await until(pilot, lambda: "■ finished" in screen_of(app) and app.session.num_checkpoints == len(STEPS))
    assert Run.open(tmp_path / "live.h5").complete


async def test_what_is_missing_is_analysed_from_the_cursor_outward(story: Callable[..., Path]) -> None:
    path = story(6)
    app = Microscope([Session.open(path)])
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "g", "right")
        spectra = Spectra(Run.open(path))

        def analysed(index: int) -> bool:
            spectra.refresh()
            return bool(spectra.done[index].all())

        await until(pilot, lambda: analysed(1), seconds=60)
        await until(pilot, lambda: "ESD fc1  α" in screen_of(app))
        await until(pilot, lambda: bool(spectra.refresh() or spectra.done.all()), seconds=60)
        await until(pilot, lambda: app.state.analysing is None)
        assert "not analysed yet" not in screen_of(app)


async def test_a_run_that_vanishes_is_said_and_the_app_lives(story: Callable[..., Path]) -> None:
    path = story(3)
    app = Microscope([Session.open(path)], analysis=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.state.liveness is not None)
        path.rename(path.with_name("moved.h5"))
        await until(pilot, lambda: "there is no file" in screen_of(app))
        path.with_name("moved.h5").rename(path)
        await until(pilot, lambda: "there is no file" not in screen_of(app))
        await press(pilot, "g")
        assert app.state.index == 0


async def test_spectra_may_be_deleted_at_any_time(own_run: Path) -> None:
    app = Microscope([Session.open(own_run)], analysis=False, watching=False)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "ESD fc1  α" in screen_of(app)
        own_run.with_name("story.spectra.h5").unlink()
        await press(pilot, "left")
        assert "not analysed yet" in screen_of(app)
