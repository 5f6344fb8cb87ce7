"""Full and closed streams, other encodings, and steps that are no checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("command", ["info", "export"])
def test_a_full_stdout_is_a_failure_in_one_sentence(trained_run: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grokscope", command, trained_run],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", ">&-"])
def test_closed_streams_stop_nothing(trained_run: Path, closed: str) -> None:
    shell = f"'{sys.executable}' -m grokscope info '{trained_run}' {closed}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_an_encoding_without_our_letters_replaces_them(trained_run: Path, grokscope_command: Command) -> None:
    done = grokscope_command("info", trained_run, env={**os.environ, "PYTHONIOENCODING": "cp437:strict"})
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


def test_show_says_which_step_it_shows_and_exact_refuses(trained_run: Path, grokscope_command: Command) -> None:
    done = grokscope_command("show", trained_run, "--step", "1M")
    assert done.returncode == 0
    assert done.stderr == "no checkpoint at step 1,000,000; this is the last one before it, at 300\n"
    done = grokscope_command("show", trained_run, "--step", "1M", "--exact")
    assert done.returncode == 2
    assert "there is no checkpoint at step 1,000,000; the last one before it is at 300" in done.stderr
    assert grokscope_command("show", trained_run, "--step", "300", "--exact").stderr == ""
