"""Exports, copies, the Python that rebuilds a view, and pictures without a terminal."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import Result

from grokscope.analysis import Spectra
from grokscope.app import actions
from grokscope.app.keys import KEYS, VIEWS
from grokscope.app.screenshot import key_named
from grokscope.app.views.panels import kind_of, panels
from grokscope.numbers import with_interval
from grokscope.report.pictures import Source, figures_of
from grokscope.runfile import Run
from tests.app.conftest import LAYERS, PLANTED, STEPS
from tests.app.driving import app_on, press, screen_of
from tests.waiting import wait_until

Command = Callable[..., subprocess.CompletedProcess[str]]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("view", VIEWS)
async def test_export_writes_the_screen_and_its_numbers_beside_the_run(own_run: Path, view: str) -> None:
    app = app_on(own_run)
    async with app.run_test(size=(120, 40)) as pilot:
        app.act(partial(actions.view, name=view))
        await press(pilot, "e")
    stem = own_run.parent / f"story-step100000-{view}"
    ElementTree.parse(stem.with_suffix(".svg"))
    spectra = Spectra(Run.open(own_run))
    last = spectra.layer(len(STEPS) - 1, "fc1")
    assert last is not None
    rows = rows_of(stem.with_suffix(".csv"))
    if view == "overview":
        assert [row["layer"] for row in rows] == [layer.name for layer in LAYERS]
        assert float(rows[0]["alpha"]) == last.alpha
    elif view == "spectrum":
        np.testing.assert_array_equal([float(row["eigenvalue"]) for row in rows], last.esd)
    elif view == "traps":
        assert float(rows[0]["eigenvalue"]) == last.traps[0].eigenvalue
        assert f"W[{PLANTED[0]},{PLANTED[1]}]={PLANTED[2]}" in rows[0]["entries"]
    elif view == "heatmap":
        assert [int(row["step"]) for row in rows] == STEPS
        assert float(rows[-1]["fc1.alpha"]) == last.alpha
    elif view == "spectrogram":
        assert {int(row["step"]) for row in rows} == set(STEPS)
        np.testing.assert_array_equal([float(row["eigenvalue"]) for row in rows[-len(last.esd) :]], last.esd)
    else:
        assert [int(row["step"]) for row in rows] == STEPS
        assert float(rows[-1]["fc1.alpha"]) == last.alpha
        assert float(rows[-1]["share_of_class_3"]) == pytest.approx(0.73)


async def test_export_goes_to_the_working_folder_where_the_run_is_read_only(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != own_run.parent)  # root may write anywhere
    app = app_on(own_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e")
    assert sorted(path.suffix for path in here.iterdir()) == [".csv", ".svg"]


@pytest.mark.parametrize("given", [".", "within/.."])
async def test_a_folder_that_is_given_without_its_name_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grokscope_here: Callable[..., Result], given: str
) -> None:
    folder = tmp_path / "saved"
    (folder / "within").mkdir(parents=True)
    for step in (1, 2):
        np.savez(folder / f"step{step}.npz", weight=np.eye(12, 15) * step)
    monkeypatch.chdir(folder)
    app = app_on(Path(given))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e")
        assert screen_of(app).split()[0] == "saved"
    assert grokscope_here("report", given).stdout.split()[0] == "saved"
    assert grokscope_here("analyze", "-j", 1, "--permutations", 1, "--null-draws", 100, given).exit_code == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "saved-step2-overview.svg",
        "saved-step2-overview.csv",
        "saved.spectra.h5",
    }


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux")
def test_within_tmux_a_copied_row_is_in_its_paste_buffer(analysed_run: Path, tmp_path: Path) -> None:
    """By its default tmux does not heed what a program asks its terminal to copy."""
    view = f"{sys.executable} -m grokscope view {analysed_run} --no-analysis"
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", view], check=True)
    try:
        wait_until(lambda: "fc1" in subprocess.check_output([*tmux, "capture-pane", "-p"], text=True))
        subprocess.run([*tmux, "send-keys", "c"], check=True)
        buffer = [*tmux, "show-buffer"]
        wait_until(lambda: b"fc1" in subprocess.run(buffer, capture_output=True, check=False).stdout)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


async def test_copy_takes_the_row_with_its_titles(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "c")
        titles, values = (line.split("\t") for line in app.clipboard.split("\n"))
        row = dict(zip(titles, values, strict=True))
        assert row["layer"] == "fc2"
        assert row["step"] == "100000"
        assert "[" in row["α [95 %]"]


@pytest.mark.parametrize("view", VIEWS)
async def test_the_printed_python_rebuilds_the_view(analysed_run: Path, view: str) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        app.act(partial(actions.view, name=view))
        await press(pilot, "d")
    script = app.return_value
    assert script is not None
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    spectrum = Spectra(Run.open(analysed_run)).layer(len(STEPS) - 1, "fc1")
    assert spectrum is not None
    alpha = with_interval(spectrum.alpha, spectrum.alpha_low, spectrum.alpha_high)
    shown = {
        **dict.fromkeys(("overview", "spectrum"), f"α {alpha}"),
        "traps": "randomised fc1 · story.h5 step 100,000",
        "trajectories": "accuracy",
        "heatmap": "α of layers × steps",
        "spectrogram": "spectrogram fc1",
    }
    assert shown[view] in done.stdout


async def test_every_panel_is_one_that_the_printed_python_draws(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    source = Source.open(analysed_run)
    async with app.run_test(size=(80, 24)):
        for pane, panel in enumerate(panels(app.state)):
            (figure, *_) = figures_of(kind_of(replace(app.state, pane=pane)), [source])
            assert not figure.reason
            assert isinstance(panel, str) or figure.title.startswith(panel.title)


def test_a_screenshot_needs_no_terminal(analysed_run: Path, tmp_path: Path, grokscope_command: Command) -> None:
    picture = tmp_path / "a.svg"
    options = ("--screenshot", picture, "--size", "100x30", "--press", "g right 2", "--theme", "light")
    done = grokscope_command("view", analysed_run, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(picture)
    assert done.stderr == ""
    words = "".join(ElementTree.parse(picture).getroot().itertext()).replace("\xa0", " ")
    assert f"2/{len(STEPS)}" in words
    assert "ESD fc1" in words


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["absent.h5"], "no file absent.h5"),
        (["story.h5", "--theme", "pink"], "neither dark nor light"),
        (["story.h5", "--screenshot", "a.svg", "--size", "big"], "--size big is no size"),
        (["story.h5", "--screenshot", "nowhere/a.svg"], "cannot be written"),
        (["story.h5", "--screenshot", "a.png"], "a name that ends in .svg"),
        (["story.h5", "--screenshot", "a.svg", "--press", "g foo"], "--press foo names no key"),
        (["story.h5", "--screenshot", "a.svg", "--press", "ctrl+shift+q"], "--press ctrl+shift+q names no key"),
        (["story.h5"], "needs a terminal"),
        (["story.spectra.h5", "--screenshot", "a.svg"], "give the run file itself"),
    ],
)
def test_mistakes_get_one_sentence_and_exit_2(
    own_run: Path, grokscope_command: Command, arguments: list[str], sentence: str
) -> None:
    done = grokscope_command("view", *arguments, cwd=own_run.parent)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "name"),
    [
        *((word, name) for key in KEYS for word, name in zip(key.shown.split(), key.keys, strict=True)),
        *((name, name) for key in KEYS for name in key.keys),
        ("Right", "right"),
        ("ESC", "escape"),
        ("enter", "enter"),
        ("5", "5"),
    ],
)
def test_keys_are_understood_as_the_readme_and_textual_write_them(word: str, name: str) -> None:
    characters = {"left_square_bracket": "[", "right_square_bracket": "]", "colon": ":", "question_mark": "?"}
    assert characters.get(key_named(word), key_named(word)) == characters.get(name, name)


def test_a_screenshot_of_a_run_that_is_not_analysed_says_so(
    story: Callable[..., Path], tmp_path: Path, grokscope_command: Command
) -> None:
    done = grokscope_command("view", story(3), "--screenshot", tmp_path / "a.svg")
    assert done.returncode == 0
    assert done.stdout.strip() == str(tmp_path / "a.svg")
    assert "3 of 3 checkpoints of live.h5 are not analysed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_terminal_names_the_two_ways_out(analysed_run: Path, grokscope_command: Command) -> None:
    error = grokscope_command("view", analysed_run).stderr
    assert "--screenshot" in error
    assert "grokscope show" in error


def test_the_view_path_imports_nothing_heavy(analysed_run: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import grokscope.cli.main
from grokscope.app.screenshot import take
from grokscope.trajectory import open_trajectory
run = open_trajectory(Path({str(analysed_run)!r}))
take([run], Path({str(tmp_path / "a.svg")!r}), 120, 40, "1 2 3 4 right m left".split())
heavy = {{"torch", "scipy", "weightwatcher", "sklearn", "joblib", "pandas", "matplotlib", "dask"}}
print(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
