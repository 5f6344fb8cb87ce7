"""A folder of runs is a list of them, from which one is opened and to which esc returns."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from grokscope.app.app import Microscope
from grokscope.app.catalog import look, run_files
from grokscope.app.plots.canvas import fit_middle
from tests.app.conftest import COLLAPSE, STEPS, commit, create, write_run
from tests.app.driving import press, screen_of


@pytest.fixture
def folder(own_run: Path) -> Path:
    """A whole and analysed run, a short one, and one that is damaged; with a spectra file and other things."""
    write_run(own_run.with_name("short.h5"), COLLAPSE)
    broken = write_run(own_run.with_name("broken.h5"), 2)
    broken.write_bytes(broken.read_bytes()[:3000])
    own_run.with_name("notes.h5").write_text("no HDF5")
    return own_run.parent


def test_what_the_list_says_of_a_run_is_read_from_it(folder: Path) -> None:
    assert [path.name for path in run_files(folder) if path.name != "broken.h5"] == ["short.h5", "story.h5"]
    story, short = look(folder / "story.h5"), look(folder / "short.h5")
    assert (story.checkpoints, story.step, story.phase) == (len(STEPS), STEPS[-1], "anti-grokking")
    assert (story.accuracy, story.state, story.analysed) == (0.5, "finished", 1.0)
    assert (short.phase, short.accuracy, short.analysed) == ("grokking", 0.86, 0.0)
    assert look(folder / "broken.h5").problem
    with create(folder / "model.h5", steps=[5]) as writer:
        commit(writer, 0)
    assert look(folder / "model.h5").phase == "unknown", "one checkpoint has no history, as in the viewer"
    with create(folder / "live.h5") as writer:
        commit(writer, 0)
        assert look(folder / "live.h5").state == "running"


async def test_enter_opens_a_run_and_esc_returns_to_the_list(folder: Path) -> None:
    app = Microscope([], folder=folder, analysis=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.settled()
        await pilot.pause()
        rows = {words[0]: line for line in screen_of(app).split("\n") if (words := line.strip("▸ ").split())}
        assert "A anti-grokking" in rows["story.h5"]
        assert "finished" in rows["story.h5"]
        assert "100.0 %" in rows["story.h5"]
        await press(pilot, "4", "m", "d", "right")
        assert app.state.choosing, "keys of a run do nothing here"
        await press(pilot, "end", "enter")
        await pilot.pause()
        assert "ESD fc1" in screen_of(app)
        assert "100,000" in screen_of(app)
        await press(pilot, "2", "escape")
        assert app.state.view == "overview"
        await press(pilot, "escape")
        assert app.state.choosing
        await press(pilot, "up", "enter")
        await pilot.pause()
        assert f"{STEPS[COLLAPSE - 1]:,}" in screen_of(app)
        assert [session.name for session in app.sessions] == ["short.h5"]


async def test_a_run_that_cannot_be_opened_says_why_and_the_list_stays(folder: Path) -> None:
    (folder / "short.h5").unlink()
    app = Microscope([], folder=folder, analysis=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.settled()
        (folder / "story.h5").unlink()
        await press(pilot, "end", "enter")
        await pilot.pause()
        assert app.state.choosing
        assert "no file" in screen_of(app)


@pytest.mark.parametrize("given", [True, False])
def test_a_folder_of_runs_and_no_argument_give_the_list(
    folder: Path, given: bool, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    where = [folder] if given else []
    done = grokscope_command("view", *where, "--screenshot", folder / "list.svg", cwd=folder)
    assert done.returncode == 0, done.stderr
    picture = (folder / "list.svg").read_text(encoding="utf-8")
    assert "story.h5" in picture
    assert "short.h5" in picture


@pytest.mark.parametrize("width", [8, 14, 24])
def test_a_name_that_is_cut_keeps_its_end_which_tells_runs_apart(width: int) -> None:
    one, other = (fit_middle(f"digits-width64-decay0.003-s{seed}.h5", width) for seed in (100, 101))
    assert (len(one), len(other), one != other) == (width, width, True)
    assert one.startswith("di")
    assert one.endswith(".h5")
    assert fit_middle("run.h5", width) == "run.h5".ljust(width)
