"""The bar of a long command: there while there is something to do, in a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.runfile import Run
from tests.terminal import read_all

Command = Callable[..., subprocess.CompletedProcess[str]]
FAST = ("--permutations", "3", "--null-draws", "100", "--jobs", "1")


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A run that is not analysed."""
    return Path(shutil.copy(trained_run, tmp_path / "run.h5"))


def in_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Run the command with stderr in a terminal of 80 columns; return its exit code and what is shown there."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "grokscope", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stderr=terminal, stdout=subprocess.DEVNULL, env=environment)
    os.close(terminal)
    shown = read_all(controller)
    return process.wait(60), shown


def test_a_terminal_sees_a_bar_and_none_where_nothing_is_to_be_done(run: Path) -> None:
    code, shown = in_terminal("analyze", run, *FAST)
    assert code == 0
    total = 3 * Run(run).num_checkpoints
    assert f"{total}/{total}" in shown
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    assert max(map(cell_len, lines)) <= 80 - len("^C^C")  # which the terminal echoes behind the bar
    code, shown = in_terminal("analyze", run)
    assert (code, shown) == (0, f"{total} of {total} layers measured\r\n")


def test_a_command_that_has_to_give_up_shows_no_bar(run: Path) -> None:
    with SpectraWriter(Run(run)):
        code, shown = in_terminal("analyze", run)
    assert code == 2
    assert shown.startswith("grokscope: ")
    assert len(shown.splitlines()) == 1


def test_a_pipe_sees_words_only(run: Path, tmp_path: Path, grokscope_command: Command) -> None:
    done = grokscope_command("analyze", run, *FAST)
    assert done.stderr == "{0} of {0} layers measured\n".format(3 * Run(run).num_checkpoints)
    done = grokscope_command("import", tmp_path / "nowhere", "-o", tmp_path / "other.h5")
    assert done.stderr.startswith("grokscope: ")
