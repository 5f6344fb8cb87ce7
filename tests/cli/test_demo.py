"""`grokscope demo`: from nothing to a report; a light install says what is missing."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from grokscope.runfile import Run
from grokscope.runfile.check import check
from tests.terminal import read_all
from tests.waiting import wait_until

ALTERNATE_SCREEN = "\x1b[?1049h"
"""With which the app takes the terminal."""


def test_from_nothing_to_the_app(tmp_path: Path) -> None:
    """Trained, analysed, reported and opened in a terminal; `q` ends it."""
    pytest.importorskip("sklearn")
    run = tmp_path / "demo" / "digits.h5"
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, "-m", "grokscope", "demo", str(run.parent)]
    environment = os.environ | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = ""
    while "fc1" not in shown.partition(ALTERNATE_SCREEN)[2]:
        shown += os.read(controller, 4096).decode(errors="replace")
    assert "Table 1: power-law exponent" in shown
    os.write(controller, b"q")
    read_all(controller)
    assert process.wait(60) == 0
    assert Run.open(run).complete


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_has_saved_its_state(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C reaches the whole group, SIGTERM the demo alone; both end with 130 and a run that can go on."""
    pytest.importorskip("sklearn")
    run = tmp_path / "digits.h5"
    command = [sys.executable, "-m", "grokscope", "demo", str(tmp_path), "--no-view"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: run.exists() and Run(run).num_checkpoints > 2)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "everything saved" in said
    assert check(run).num_states >= 1
    assert not Run.open(run).complete


def test_a_run_that_is_there_is_reported_and_not_trained_again(
    trained_run: Path, tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Its bytes stay; without a terminal the command that opens it is named."""
    run = Path(shutil.copy(trained_run, tmp_path / "digits.h5"))
    before = run.read_bytes()
    done = grokscope_command("demo", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits.h5" in done.stdout
    assert f"open it by: grokscope view {run}" in done.stderr
    assert run.read_bytes() == before


def test_a_light_install_says_what_to_install(tmp_path: Path) -> None:
    """One sentence, exit code 2, and nothing is left behind."""
    folder = tmp_path / "demo"
    code = (
        "import importlib.util as util, sys; found = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'sklearn' else found(name, *more)\n"
        f"sys.argv = ['grokscope', 'demo', {str(folder)!r}]\n"
        "from grokscope.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "digits come with scikit-learn; `pip install '.[train]'` in grokscope's checkout" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()
