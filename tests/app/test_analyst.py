"""The background analysis runs in a process of its own, which never outlives its viewer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.app.analyst import Analyst
from grokscope.app.app import Microscope
from grokscope.app.session import Session
from grokscope.runfile import Run
from grokscope.trajectory import Place
from tests.app.driving import press, screen_of, until


def ask(path: Path, *numbers: int) -> list[str]:
    """What the process answers to these checkpoints' numbers; it must end with its input."""
    done = subprocess.run(
        [sys.executable, "-m", "grokscope.app.analyst_process"],
        input="".join(json.dumps([k, *Place(path).words]) + "\n" for k in numbers),
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_the_process_measures_what_it_is_asked_for_to_the_same_bytes(story: Callable[..., Path]) -> None:
    path, again = story(4), story(4, "again.h5")
    assert ask(path, 2, 1) == ["done", "done"]
    spectra = Spectra(Run.open(path))
    assert spectra.done.all(axis=1).tolist() == [False, True, True, False]
    other = analyze(Run.open(again), indices=[2])
    here, there = spectra.layer(2, "fc1"), other.layer(2, "fc1")
    assert here is not None
    assert there is not None
    assert (here.alpha, here.sigma_mp, here.ks_p) == (there.alpha, there.sigma_mp, there.ks_p)


def test_the_process_says_why_it_could_not(story: Callable[..., Path], tmp_path: Path) -> None:
    path = story(1)
    with SpectraWriter(Run.open(path), Parameters(permutations=3, null_draws=200)):
        assert ask(path, 0) == ["locked"]
    (tmp_path / "none.h5").write_text("not a run")
    (answer,) = ask(tmp_path / "none.h5", 0)
    assert answer.startswith("failed ")
    assert "none.h5" in answer


def running(analyst: Analyst) -> subprocess.Popen[str] | None:
    """The analyst's process, once it has started and while it lives."""
    return analyst.process if analyst.process is not None and analyst.process.poll() is None else None


async def test_quitting_ends_the_process(story: Callable[..., Path]) -> None:
    app = Microscope([Session.open(story())], watching=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: running(app.background.analyst) is not None)
        await press(pilot, "q")
    process = app.background.analyst.process
    assert process is not None
    assert process.wait(timeout=10) == -signal.SIGKILL


async def test_a_process_that_was_killed_is_started_again(
    story: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grokscope.app.analyst.LOCKED_SECONDS", 0.2)
    path = story(6)
    app = Microscope([Session.open(path)], watching=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: running(app.background.analyst) is not None)
        process = running(app.background.analyst)
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
        spectra = Spectra(Run.open(path))

        def all_done() -> bool:
            spectra.refresh()
            return bool(spectra.done.all())

        await until(pilot, all_done, seconds=90)
        await until(pilot, lambda: "not analysed yet" not in screen_of(app))


def test_a_killed_viewer_leaves_no_process_behind(story: Callable[..., Path]) -> None:
    """The process's input ends with the viewer, however that ended."""
    script = (
        "import sys, time; from pathlib import Path; from grokscope.app.analyst import Analyst\n"
        "from grokscope.runfile import Run\n"
        "analyst = Analyst([Run(Path(sys.argv[1]))], print, lambda: (0, 0)); analyst.start()\n"
        "while analyst.process is None: time.sleep(0.01)\n"
        "sys.stderr.write(f'{analyst.process.pid}\\n'); time.sleep(60)"
    )
    viewer = subprocess.Popen(
        [sys.executable, "-c", script, str(story(2))], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert viewer.stderr is not None
    child = int(viewer.stderr.readline())
    viewer.kill()
    viewer.wait()
    for _ in range(600):
        try:
            os.kill(child, 0)
            if Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    pytest.fail("the process is still there")
