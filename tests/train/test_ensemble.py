"""Many seeds by one command: a file each, the same as if each had been trained alone."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from grokscope_train.ensemble import StepsReached, identity, member_path, parse_seeds
from typer.testing import Result

from grokscope.errors import UsageError
from grokscope.runfile import Run
from tests.train.forked import assert_same_run
from tests.waiting import wait_until

SMALL = ["--dataset", "digits", "--train-points", "100", "--width", "8", "--engine", "compiled"]


@pytest.mark.parametrize(("text", "seeds"), [("0-3", [0, 1, 2, 3]), ("5", [5]), ("0,3,7-9", [0, 3, 7, 8, 9])])
def test_seeds_are_read_as_written(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "0-", "-1", "1.5", "0-2,2"])
def test_seeds_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        parse_seeds(text)


def test_every_seed_gets_the_run_that_it_gets_alone(tmp_path: Path, grokscope_here: Callable[..., Result]) -> None:
    options = [*SMALL, "--steps", "40", "--init-scale", "2"]
    result = grokscope_here("train", "-o", tmp_path / "run.h5", *options, "--seeds", "0,2")
    assert result.exit_code == 0, result.stderr
    paths = [tmp_path / "run-seed0.h5", tmp_path / "run-seed2.h5"]
    assert result.stdout.split() == [str(path) for path in paths]
    assert [Run.open(path).config["seed"] for path in paths] == [0, 2]
    alone = tmp_path / "alone.h5"
    assert grokscope_here("train", "-o", alone, *options, "--seed", "2", "--threads", "1").exit_code == 0
    assert_same_run(Run.open(paths[1]), Run.open(alone))


def test_a_signal_saves_every_member_and_the_command_that_goes_on_is_printed(
    tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    output = tmp_path / "a run.h5"
    options = ["--seeds", "0-1", "--no-batched", "--steps", "100m", "--overwrite"]
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(output), *SMALL, *options]
    first, step_reached = member_path(output, 0), StepsReached()
    for _ in range(2):  # the command itself, and the one that it prints
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        before = step_reached(first)
        wait_until(lambda reached=before: step_reached(first) > reached)  # type: ignore[misc]
        process.send_signal(signal.SIGTERM)
        printed = shlex.split(process.communicate(timeout=30)[1].splitlines()[-1])
        assert process.returncode == 130
        assert Run.open(first).liveness().state == "interrupted"
        assert printed[:2] == ["grokscope", "train"]
        assert "--no-batched" in printed
        assert "--resume" in printed
        assert "--overwrite" not in printed
        command = [sys.executable, "-m", *printed]


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


def test_a_failing_member_says_why(tmp_path: Path, grokscope_here: Callable[..., Result]) -> None:
    (tmp_path / "run-seed1.h5").write_text("in the way")
    options = [*SMALL, "--steps", "5", "--seeds", "0-1", "--resume", "--no-batched"]
    result = grokscope_here("train", "-o", tmp_path / "run.h5", *options)
    assert result.exit_code == 2
    [words] = [line for line in result.stderr.splitlines() if line.startswith("grokscope: ")]
    assert words.startswith(f"grokscope: {tmp_path / 'run-seed1.h5'} is not an HDF5 file")
    assert words.count("run-seed1.h5") == 1
    assert Run.open(tmp_path / "run-seed0.h5").complete


@pytest.mark.parametrize("how", [["--no-batched"], ["--batched"], ["--scheduler", "tcp://127.0.0.1:9"]])
def test_a_file_in_the_way_of_one_seed_is_met_before_any_is_trained(
    tmp_path: Path, grokscope_here: Callable[..., Result], how: list[str]
) -> None:
    (tmp_path / "run-seed1.h5").write_text("in the way")
    options = [*SMALL, "--steps", "5", "--seeds", "0-1", *how]
    result = grokscope_here("train", "-o", "run.h5", *options, cwd=tmp_path)
    assert result.exit_code == 2
    assert result.stderr == (
        "grokscope: run-seed1.h5 exists; go on with it by --resume, or replace it by --overwrite\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run-seed1.h5"]


def test_a_run_that_is_to_be_replaced_has_reached_nothing(
    tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    path = tmp_path / "run.h5"
    assert grokscope_here("train", "-o", path, *SMALL, "--steps", "5").exit_code == 0
    assert StepsReached()(path) == 5
    assert StepsReached({identity(path)})(path) == 0
    assert StepsReached({identity(tmp_path / "none.h5")})(path) == 5


def test_a_run_is_opened_once_and_anew_only_where_another_has_taken_its_place(
    tmp_path: Path, grokscope_here: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened, there = tmp_path / "run.h5", [], Run.open

    def counted(path: Path) -> Run:
        opened.append(path)
        return there(path)

    step_reached = StepsReached()
    for steps, openings in ((5, 0), (7, 1)):
        assert grokscope_here("train", "-o", path, *SMALL, "--steps", str(steps), "--overwrite").exit_code == 0
        step_reached(path)  # opens the first, and drops it where another is there
        with monkeypatch.context() as patched:
            patched.setattr(Run, "open", counted)
            assert [step_reached(path) for _ in range(3)] == [steps] * 3
        assert len(opened) == openings
