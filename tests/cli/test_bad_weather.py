"""Full and closed streams, other encodings, and steps that are no checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

import grokscope
from grokscope.analysis import Parameters, analyze
from grokscope.errors import RunLocked
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.lock import WriterLock
from grokscope.trajectory import open_trajectory

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("command", ["info", "export"])
def test_a_full_stdout_is_a_failure_in_one_sentence(trained_run: Path, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grokscope", command, trained_run],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "no room for the output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


INFO = "info {run}"
TRAIN = "train -o {folder}/new.h5 --dataset digits --steps 3 --width 12 --train-points 100 --engine torch"


@pytest.mark.parametrize(
    ("command", "closed"),
    [("info {run}", "2>&-"), ("info {run}", "2>/dev/full"), ("info {run}", ">&-"), (TRAIN, "2>&- >&-")],
)
def test_closed_streams_stop_nothing(trained_run: Path, tmp_path: Path, command: str, closed: str) -> None:
    words = command.format(run=f"'{trained_run}'", folder=f"'{tmp_path}'")
    shell = f"'{sys.executable}' -m grokscope {words} {closed}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert command != TRAIN or Run(tmp_path / "new.h5").complete


def test_an_encoding_without_our_letters_replaces_them(trained_run: Path, grokscope_command: Command) -> None:
    done = grokscope_command("info", trained_run, env={**os.environ, "PYTHONIOENCODING": "cp437:strict"})
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout


def test_show_says_which_step_it_shows_and_exact_refuses(
    trained_run: Path, grokscope_here: Callable[..., Result]
) -> None:
    done = grokscope_here("show", trained_run, "--step", "1M")
    assert done.exit_code == 0
    assert done.stderr == "no checkpoint at step 1,000,000; this is the last one before it, at 300\n"
    done = grokscope_here("show", trained_run, "--step", "1M", "--exact")
    assert done.exit_code == 2
    assert "there is no checkpoint at step 1,000,000; the last one before it is at 300" in done.stderr
    assert grokscope_here("show", trained_run, "--step", "300", "--exact").stderr == ""


def test_the_analysis_that_was_asked_for_waits_for_another_and_wins(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(
        path, steps=[0], layers=[LayerSpec("layer", (12, 15), bias=False)], metrics=[], config={}, origin="a test"
    ) as writer:
        writer.commit(0, {"layer": np.random.default_rng(0).normal(size=(12, 15))}, {}, {})
    run = Run(path)
    analyze(run, parameters=Parameters(permutations=3, null_draws=100))
    others = WriterLock(tmp_path / "run.spectra.h5")
    asked = Parameters(permutations=2, null_draws=100)
    with pytest.raises(RunLocked):
        analyze(run, parameters=asked)
    threading.Timer(1.0, others.release).start()
    assert analyze(run, parameters=asked, patience=20).parameters == asked


def test_files_in_the_current_folder_are_not_run_by_children(trained_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    for name in ("h5py", "random", "joblib", "numpy"):
        (tmp_path / f"{name}.py").write_text("import pathlib; pathlib.Path('was-run').touch(); raise ImportError")
    for words in (["check"], ["analyze", "-j", "2", "--null-draws", "100", "--permutations", "2"]):
        command = [sys.executable, "-P", "-m", "grokscope", words[0], run, *words[1:]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "was-run").exists()


def test_a_link_in_the_place_of_spectra_or_of_an_import_is_not_followed(
    trained_run: Path, tmp_path: Path, grokscope_command: Command
) -> None:
    run, other = Path(shutil.copy(trained_run, tmp_path / "run.h5")), tmp_path / "other.npz"
    np.savez(other, weight=np.eye(12, 15))
    before = other.read_bytes()
    (tmp_path / "run.spectra.h5").symlink_to(other)
    (tmp_path / ".out.h5.importing").symlink_to(other)
    done = grokscope_command("analyze", "-j", "1", run)
    assert done.returncode == 2
    assert "is a link to a file that holds no spectra" in done.stderr
    assert grokscope_command("import", other, "-o", tmp_path / "out.h5").returncode == 0
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("train -o {link} --overwrite --dataset digits --steps 3 --width 12 --train-points 100", "out.h5"),
        ("branch {run} --at 1 -o {link} --overwrite --steps 3", "out.h5"),
        ("import {model} -o {link} --overwrite", "out.h5"),
        ("compact {link}", "out.h5"),
        ("plot {run} accuracy -o {link}", "out.svg"),
    ],
    ids=lambda value: value.split()[0],
)
def test_an_output_that_is_a_link_is_written_where_it_leads(
    trained_run: Path, tmp_path: Path, grokscope_here: Callable[..., Result], command: str, name: str
) -> None:
    model, link, real = tmp_path / "model.npz", tmp_path / name, tmp_path / "far" / name
    np.savez(model, weight=np.eye(12, 15))
    real.parent.mkdir()
    before = Path(shutil.copy(trained_run, real)).read_bytes()
    link.symlink_to(real)
    done = grokscope_here(*command.format(run=trained_run, model=model, link=link).split())
    assert done.exit_code == 0, done.stderr
    assert link.is_symlink()
    assert real.read_bytes() != before
    assert sorted(tmp_path.rglob("*")) == sorted([model, link, real, real.parent])


@pytest.mark.parametrize("length", [253, 248, 245, 240, 235])
def test_a_name_too_long_for_what_is_made_beside_it_is_one_sentence(
    tmp_path: Path, grokscope_here: Callable[..., Result], length: int
) -> None:
    model = tmp_path / "model.npz"
    np.savez(model, weight=np.eye(12, 15))
    done = grokscope_here("import", model, "-o", tmp_path / f"{'n' * (length - 3)}.h5")
    assert done.exit_code == 2
    assert "(File name too long); choose a shorter name" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [model]


def test_the_spectra_of_a_run_of_a_very_long_name_lie_in_the_cache(
    trained_run: Path, tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    run = Path(shutil.copy(trained_run, tmp_path / f"{'n' * 252}.h5"))
    done = grokscope_here("analyze", "-j", "1", "--permutations", "1", "--null-draws", "100", run)
    assert done.exit_code == 0, done.stderr
    for command in (["show"], ["report"], ["plot", "alpha"]):
        assert grokscope_here(command[0], run, *command[1:]).exit_code == 0
    assert list(tmp_path.iterdir()) == [run]


def test_what_files_hold_cannot_move_the_cursor(
    trained_run: Path, tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    run = Path(shutil.copy(trained_run, tmp_path / "run\x1b[2J.h5"))
    with h5py.File(run, "r+") as file:
        file.attrs["origin"] = file.attrs["uuid"] = file.attrs["created"] = "here\x1b]0;owned\x07"
        file.attrs["config"] = json.dumps({"name\x1b[2J": "\u202evalue"})
    for command in (["info"], ["report"], ["export"], ["plot", "accuracy"]):
        done = grokscope_here(command[0], run, *command[1:])
        assert done.exit_code == 0, done.stderr
        assert not set("\x1b\x07\u202e") & set(done.stdout + done.stderr)


def test_what_foreign_checkpoints_name_can_neither_move_the_cursor_nor_begin_a_line(
    tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    name, shown = "\x1b]0;owned\x07\u202e\nforged\x1b[8m", "·]0;owned···forged·[8m"
    folder, table = tmp_path / f"in{name}", tmp_path / "metrics.csv"
    folder.mkdir()
    for step in (1, 2):
        weight = np.random.default_rng(step).normal(size=(12, 15))
        arrays = {f"{name}.weight": weight, f"{name}.code": np.ones((3, 3), np.int64)}
        np.savez(folder / f"step{step}.npz", **arrays)
    table.write_text(f'step,"{name}",train_accuracy,test_accuracy\n1,1,.1,.1\n2,2,.2,.2\n')
    analyze(open_trajectory(folder), parameters=Parameters(permutations=1, null_draws=100))
    for command, *options in (
        ["info"], ["show"], ["plot", "accuracy"], ["report"], ["export"], ["export", "--layers"],
        ["evaluate"], ["evaluate", "--csv"],
    ):  # fmt: skip
        done = grokscope_here(command, folder, *options, "--metrics", table)
        assert done.exit_code == 0, done.stderr
        lines = [*done.stdout.split("\n"), *done.stderr.split("\n")]
        assert any(shown in line for line in lines)
        assert all(line.isprintable() and not line.startswith("forged") for line in lines)
    assert repr(grokscope.open(folder)).isprintable()


def test_names_of_bytes_that_are_no_text_are_names_too(
    tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    folder, run = tmp_path / os.fsdecode(b"folder\xff"), tmp_path / os.fsdecode(b"run\xff.h5")
    folder.mkdir()
    np.savez(folder / os.fsdecode(b"step-1\xfe.npz"), weight=np.eye(12, 15))
    for command in (
        ["info", folder],
        ["report", folder],
        ["import", folder, "-o", run],
        ["check", run],
        ["info", run],
    ):
        done = grokscope_here(*command)
        assert done.exit_code == 0, done.stderr
    assert Run(run).origin == "imported from folder·"
