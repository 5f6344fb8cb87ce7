"""`grokscope train` as a command: what it makes, what it says, and how it takes what it cannot use."""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from grokscope_train.config import TrainConfig
from typer.testing import Result

from grokscope.cli.evaluate import evaluate
from grokscope.cli.train import train
from grokscope.phases import Thresholds
from grokscope.runfile import Run, RunWriter, log_steps
from tests.terminal import read_all
from tests.waiting import wait_until

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Here = Callable[..., Result]
SMALL = ["--dataset", "digits", "--train-points", "100", "--width", "8", "--engine", "compiled", "--threads", "1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, grokscope_command: Command) -> Path:
    """A run of 50 steps."""
    path = tmp_path_factory.mktemp("finished") / "run.h5"
    result = grokscope_command("train", "-o", path, *SMALL, "--steps", "50")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{path}\n"
    return path


def test_a_run_holds_everything_that_is_recorded(finished: Path) -> None:
    run = Run.open(finished)
    assert run.complete
    assert run.steps.tolist() == log_steps(50, 20).tolist()
    assert [layer.name for layer in run.layers] == ["fc1", "fc2", "fc3"]
    assert run.weight(0, "fc1").shape == (8, 64)
    assert len(run.fixed("train_indices")) == 100  # type: ignore[arg-type]
    assert run.predictions().sum(axis=1).tolist() == [1697] * run.num_checkpoints  # type: ignore[union-attr]
    for name, values in run.metrics().items():
        unknown_at_first = name.startswith(
            ("largest_", "root_second_", "relative_update_", "below_eps", "step_norm_")
        )
        assert np.all(np.isfinite(values[unknown_at_first:])), name
    assert run.config["lr"] == 5e-4
    assert run.config["threads"] == 1
    assert run.liveness().state == "finished"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--steps", "-5"], "--steps is -5"),
        (["--steps", "2.5"], "--steps is '2.5'"),
        (["--width", "0"], "--width is 0"),
        (["--depth", "0"], "--depth is 0"),
        (["--lr", "nan"], "--lr is nan"),
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--dataset", "cats"], "--dataset is 'cats'; choose one of mnist, fashion-mnist, kmnist, digits"),
        (["--activation", "swish"], "relu, tanh, gelu, sigmoid"),
        (["--device", "tpu"], "cpu"),
        (["--device", "cuda0"], "cuda:N"),
        (["--engine", "torch", "--device", "cuda:99"], "usable CUDA devices here"),
        (["--train-points", "5000"], "--train-points"),
        (["--dataset", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["--dataset", "mnist", "--data-dir", "."], "--dataset digits"),
        (["-o", "nowhere/run.h5"], "there is no folder nowhere"),
        (["-o", "."], "is a folder"),
        (["--resume"], "there is no file run.h5"),
        (["--threads", "x"], "--threads"),
        (["--seeds", "3-1"], "--seeds"),
        (["--seeds", "zero"], "--seeds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    tmp_path: Path, grokscope_here: Here, options: list[str], says: str
) -> None:
    result = grokscope_here("train", "-o", "run.h5", *SMALL, "--steps", "5", *options, cwd=tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1 or options[0] == "--threads", result.stderr  # typer's own, in a box
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, finished: Path, resume: bool) -> None:
    """Before anything is compiled; for root as well, the command having lost root's right to write everywhere."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    options = ["--steps", "5"]
    if resume:
        shutil.copy(finished, folder / "run.h5")
        options = ["--resume"]
    before = list(folder.iterdir())
    folder.chmod(0o555)
    command = [sys.executable, "-m", "grokscope", "train", *SMALL, *options, "-o", str(folder / "run.h5")]
    done = subprocess.run(
        command,
        capture_output=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "nothing-compiled")},
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lose_roots_right_to_write,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"grokscope: cannot write in {folder}; choose another folder\n"
    assert list(folder.iterdir()) == before


def lose_roots_right_to_write() -> None:
    """Take CAP_DAC_OVERRIDE from what this process is about to execute; nobody but root has it."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_an_existing_file_is_kept_unless_told_otherwise(finished: Path, grokscope_here: Here) -> None:
    before = finished.read_bytes()
    result = grokscope_here("train", "-o", finished, *SMALL, "--steps", "5")
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert "--overwrite" in result.stderr
    assert finished.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--threads", "2"], "--other-place"),
        (["--engine", "torch"], "--other-place"),
        (["--lr", "0.1"], "started with --lr"),
        (["--dtype", "float32"], "started with --dtype"),
        (["--steps", "10"], "only be raised"),
    ],
)
def test_a_resumed_run_keeps_its_experiment(
    finished: Path, grokscope_here: Here, options: list[str], says: str
) -> None:
    result = grokscope_here("train", "-o", finished, "--resume", *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_another_thread_count_is_accepted_when_asked_for(
    tmp_path: Path, finished: Path, grokscope_here: Here
) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(finished.read_bytes())
    result = grokscope_here("train", "-o", path, "--resume", "--steps", "80", "--threads", "2", "--other-place")
    assert result.exit_code == 0, result.stderr
    assert Run.open(path).steps[-1] == 80
    assert Run.open(path).config["threads"] == 2


def test_another_library_version_is_noted_and_no_hindrance(
    tmp_path: Path, finished: Path, grokscope_here: Here
) -> None:
    path = tmp_path / "run.h5"
    path.write_bytes(finished.read_bytes())
    with RunWriter.reopen(path) as writer:
        environment = {**writer.config["environment"], "numpy": "1.0"}  # type: ignore[dict-item]
        writer.extend(writer.steps, {**writer.config, "environment": environment})
    result = grokscope_here("train", "-o", path, "--resume")
    assert result.exit_code == 0
    assert "where it was 1.0" in result.stderr


@pytest.mark.parametrize("more", [("--steps", "60"), ()])
def test_a_run_of_the_former_engine_goes_on_where_other_last_bits_are_accepted(
    finished: Path, tmp_path: Path, grokscope_here: Here, more: tuple[str, ...]
) -> None:
    path = Path(shutil.copy(finished, tmp_path / "old.h5"))
    with RunWriter.reopen(path) as writer:
        writer.extend(writer.steps, {**writer.config, "engine": "numpy"})
    result = grokscope_here("train", "-o", path, "--resume", *more)
    assert result.exit_code == 2
    assert "--engine numpy, which is no more; add --other-place" in " ".join(result.stderr.split())
    assert grokscope_here("train", "-o", path, "--resume", *more, "--other-place").exit_code == 0
    assert Run.open(path).config["engine"] == "compiled"


def test_a_second_trainer_is_refused(finished: Path, grokscope_here: Here) -> None:
    with RunWriter.reopen(finished):
        for option in ("--resume", "--overwrite"):
            result = grokscope_here("train", "-o", finished, *SMALL, "--steps", "50", option)
            assert result.exit_code == 2
            assert str(os.getpid()) in result.stderr


def test_a_diverging_run_stops_at_its_first_bad_checkpoint(tmp_path: Path, grokscope_command: Command) -> None:
    path = tmp_path / "run.h5"
    options = ["--optimizer", "sgd", "--lr", "1e6", "--steps", "1000"]
    result = grokscope_command("train", "-o", path, *SMALL, *options)
    assert result.returncode == 1
    assert "lower --lr" in result.stderr
    assert "Warning" not in result.stderr
    losses = Run.open(path).metrics()["train_loss"]
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])


def test_ctrl_c_prints_the_command_that_resumes(tmp_path: Path, grokscope_command: Command) -> None:
    path = tmp_path / "a run.h5"
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(path), *SMALL, "--steps", "100000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: path.exists() and Run.open(path).num_checkpoints > 3)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert f"grokscope train -o '{path}' --resume" in stderr
    assert grokscope_command("check", path).returncode == 0


def test_a_terminal_sees_rate_time_left_and_accuracies(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grokscope", "train", "-o", "run.h5", *SMALL, "--steps", "30000"]
    controller, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=terminal, stdout=subprocess.PIPE, env=environment)
    os.close(terminal)
    shown = read_all(controller)
    assert process.wait(60) == 0
    for words in ("steps/s", "left", "train ", "test ", "30,000/30,000"):
        assert words in shown


def test_info_as_json_tells_the_configuration(finished: Path, grokscope_here: Here) -> None:
    described = json.loads(grokscope_here("info", finished, "--json").stdout)
    assert described["config"]["dataset"] == "digits"
    assert described["steps"][-1] == 50


@pytest.mark.parametrize(("command", "kept"), [(train, TrainConfig), (evaluate, Thresholds)])
def test_an_option_s_default_is_that_of_what_it_sets(command: Callable[..., None], kept: type) -> None:
    options = inspect.signature(command).parameters
    defaults = {field.name: field.default for field in fields(kept) if field.name in options}
    assert len(defaults) >= len(fields(kept)) - 1, "all but the branch of a run"
    assert {name: options[name].default for name in defaults} == defaults
