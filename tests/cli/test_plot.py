"""`grokscope plot` and `show --plot`: the same numbers as `show --json`, in the terminal, on paper and as JSON."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from grokscope.report.pictures import KINDS
from tests.terminal import read_all

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, trained_run: Path, grokscope_here: Command) -> Path:
    """A small run, analysed."""
    path = tmp_path_factory.mktemp("plot") / "run.h5"
    shutil.copy(trained_run, path)
    done = grokscope_here("analyze", path, "--permutations", "3", "--null-draws", "100")
    assert done.exit_code == 0, done.stderr
    return path


def test_a_plots_numbers_are_those_of_show(run: Path, grokscope_here: Command) -> None:
    """α, traps and accuracy at a step, from the figures and from `show --json`."""
    shown = json.loads(grokscope_here("show", run, "--step", "100", "--json").stdout)
    for kind, key in (("alpha", "alpha"), ("traps", "num_traps"), ("stable_rank", "stable_rank")):
        (figure,) = json.loads(grokscope_here("plot", run, kind, "--json").stdout)
        curves = {mark["label"]: mark for mark in figure["marks"] if mark["kind"] == "curve"}
        for layer in shown["layers"]:
            curve = curves[layer["name"]]
            assert curve["y"][curve["x"].index(shown["step"])] == layer[key]
    (figure,) = json.loads(grokscope_here("plot", run, "accuracy", "--json").stdout)
    test = next(mark for mark in figure["marks"] if mark["label"] == "test")
    assert test["y"][test["x"].index(shown["step"])] == shown["metrics"]["test_accuracy"]


def test_a_spectrum_is_measured_when_it_is_drawn(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    """No `analyze` before; what is drawn is then in the spectra file, and over time the rest is unknown."""
    path = tmp_path / "fresh.h5"
    shutil.copy(trained_run, path)
    missing = grokscope_here("plot", path, "alpha")
    assert missing.exit_code == 0
    assert "nothing recorded or analysed yet" in missing.stdout
    assert f"`grokscope analyze {path}` measures them" in missing.stderr
    assert "ESD fc1 · fresh.h5 step 300" in grokscope_here("plot", path, "esd").stdout
    (figure,) = json.loads(grokscope_here("plot", path, "alpha", "--json").stdout)
    known = [mark for mark in figure["marks"] if mark["kind"] == "points"]
    assert {mark["label"] for mark in known} == {"fc1", "fc2", "fc3", "undecided"}
    assert all(mark["x"] == [300.0] for mark in known)


@pytest.mark.parametrize("kind", ["esd", "heatmap", "measures"])
def test_a_pipe_gets_plain_text_of_80_columns(
    run: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]], kind: str
) -> None:
    """24 rows a figure; --size asks for other ones."""
    done = grokscope_command("plot", run, kind, env=os.environ | {"FORCE_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    lines = done.stdout.split("\n")
    assert max(map(len, lines)) <= 80
    assert len(lines) == {"measures": 4 * 25}.get(kind, 25)
    small = grokscope_command("plot", run, kind, "--size", "40x12").stdout.split("\n")
    assert max(map(len, small)) <= 40


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_a_terminal_gets_its_size_and_colours(run: Path, variables: dict[str, str]) -> None:
    """As wide as it is; without colours where they are not wanted or not known."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = kept | {"TERM": "xterm-256color"} | variables
    command = [sys.executable, "-m", "grokscope", "plot", str(run), "esd"]
    process = subprocess.Popen(command, stdout=terminal, stderr=subprocess.PIPE, env=environment)
    os.close(terminal)
    drawn = read_all(controller)
    assert process.wait(60) == 0
    assert ("\x1b[38;2;" in drawn) == (not variables)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in drawn.split("\r\n")]
    assert max(map(len, lines)) == 100
    assert len(lines) == 30  # one is left for the prompt


def test_a_size_that_is_exported_has_the_bounds_of_one_that_is_given(
    run: Path, grokscope_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "3000")
    monkeypatch.setenv("LINES", "2000")
    drawn = grokscope_here("plot", run, "esd").stdout
    assert drawn == grokscope_here("plot", run, "esd", "--size", "1000x500").stdout


@pytest.mark.parametrize(("kind", "suffix"), [("randomised", "svg"), ("randomized", "png"), ("esd", "pdf")])
def test_pictures_go_to_a_file(run: Path, tmp_path: Path, grokscope_here: Command, kind: str, suffix: str) -> None:
    """And its name to stdout; another suffix, or a folder that is not there, is a sentence."""
    path = tmp_path / f"traps.{suffix}"
    done = grokscope_here("plot", run, kind, "-o", path)
    assert (done.exit_code, done.stdout.strip()) == (0, str(path)), done.stderr
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "there is no figure nonsense; there are accuracy, loss, alpha"),
        ((), "KIND is missing, the figure, which comes last: `grokscope plot "),
        (("esd", "--layer", "fc9"), "has no layer fc9; its layers are fc1, fc2, fc3"),
        (("heatmap", "--measure", "beta"), "there is no figure beta"),
        (("esd", "-o", "esd.gif"), "none of the suffixes .svg, .png and .pdf"),
        (("esd", "-o", "no/such/folder/esd.svg"), "no folder no/such/folder"),
        (("esd", "--size", "wide"), "--size wide is no size"),
    ],
)
def test_mistakes_are_one_sentence(
    run: Path, grokscope_here: Command, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2, nothing on stdout."""
    done = grokscope_here("plot", run, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_show_draws_a_layers_spectrum_below_its_table(run: Path, grokscope_here: Command) -> None:
    """The ESD and the shuffled one of the chosen layer at that step; JSON stays JSON."""
    done = grokscope_here("show", run, "--plot", "--layer", "fc2", "--step", "100")
    assert done.exit_code == 0, done.stderr
    assert "ESD fc2 · run.h5 step 100" in done.stdout
    assert "randomised fc2 · run.h5 step 100" in done.stdout
    assert json.loads(grokscope_here("show", run, "--plot", "--json").stdout)["step"] == 300


def test_every_kind_is_drawn(run: Path) -> None:
    """Each name of the help draws at least one figure, none of them empty on an analysed run."""
    from grokscope.figures.terminal import text
    from grokscope.report.pictures import Source, figures_of

    source = Source.open(run)
    for kind in (*KINDS, "ks_p_naive", "dominance", "test_loss"):
        figures = figures_of(kind, [source])
        assert figures
        for figure in figures:
            assert figure.reason == "", f"{kind}: {figure.reason}"
            assert text(figure, 80, 24, colors=False).count("\n") == 23
