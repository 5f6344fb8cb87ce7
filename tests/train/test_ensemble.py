"""Many seeds by one command: a file each, the same as if each had been trained alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from grokscope_train.ensemble import member_path, parse_seeds

from grokscope.errors import UsageError
from grokscope.runfile import Run
from tests.train.conftest import wait_until
from tests.train.forked import assert_same_run

SMALL = ["--dataset", "digits", "--train-points", "100", "--width", "8", "--engine", "numpy"]


@pytest.mark.parametrize(("text", "seeds"), [("0-3", [0, 1, 2, 3]), ("5", [5]), ("0,3,7-9", [0, 3, 7, 8, 9])])
def test_seeds_are_read_as_written(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "0-", "-1", "1.5", "0-2,2"])
def test_seeds_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        parse_seeds(text)


def test_every_seed_gets_the_run_that_it_gets_alone(
    tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    options = [*SMALL, "--steps", "40", "--init-scale", "2"]
    result = grokscope_command("train", "-o", tmp_path / "run.h5", *options, "--seeds", "0,2")
    assert result.returncode == 0, result.stderr
    paths = [tmp_path / "run-seed0.h5", tmp_path / "run-seed2.h5"]
    assert result.stdout.split() == [str(path) for path in paths]
    assert [Run.open(path).config["seed"] for path in paths] == [0, 2]
    alone = tmp_path / "alone.h5"
    assert grokscope_command("train", "-o", alone, *options, "--seed", "2", "--threads", "1").returncode == 0
    assert_same_run(Run.open(paths[1]), Run.open(alone))


def test_a_signal_stops_and_saves_every_member(
    tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    output = tmp_path / "run.h5"
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(output), *SMALL, "--seeds", "0-1"]
    process = subprocess.Popen([*command, "--steps", "100000000"])
    first = member_path(output, 0)
    wait_until(lambda: first.exists() and Run.open(first).num_checkpoints > 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert Run.open(first).liveness().state == "interrupted"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_members_save_and_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    output = tmp_path / "run.h5"
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(output), *SMALL, "--seeds", "0"]
    process = subprocess.Popen([*command, "--steps", "100000000"])
    path = member_path(output, 0)
    wait_until(lambda: path.exists() and Run.open(path).num_checkpoints > 2)
    process.kill()
    process.wait()
    wait_until(lambda: Run.open(path).liveness().state == "interrupted")


def test_a_failing_member_says_why(
    tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "run-seed1.h5").write_text("in the way")
    result = grokscope_command("train", "-o", tmp_path / "run.h5", *SMALL, "--steps", "5", "--seeds", "0-1")
    assert result.returncode == 2
    assert "run-seed1.h5 exists" in result.stderr
    assert Run.open(tmp_path / "run-seed0.h5").complete
