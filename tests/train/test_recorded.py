"""A run file travels, the folder of its dataset stays behind: the images are found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from grokscope.runfile import Run, RunWriter

Command = Callable[..., Result]
SMALL = ["--train-points", "20", "--width", "12", "--engine", "torch", "--threads", "1"]


def write_images(folder: Path) -> None:
    """Put 200 random images into a folder, named and laid out as torchvision does with MNIST."""
    raw, generator = folder / "MNIST" / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        pixels = generator.integers(0, 256, (200, 28, 28), dtype=np.uint8)
        labels = np.arange(200, dtype=np.uint8) % 10
        for name, array in ((f"{part}-images-idx3-ubyte", pixels), (f"{part}-labels-idx1-ubyte", labels)):
            sizes = np.array(array.shape, dtype=">i4").tobytes()
            (raw / name).write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def travelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grokscope_here: Command) -> Path:
    """A folder with a run whose dataset has since moved into the user's data folder; the working directory."""
    pytest.importorskip("torchvision")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    write_images(tmp_path / "data")
    done = grokscope_here("train", "-o", "run.h5", *SMALL, "--steps", "3", "--data-dir", "data", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    (tmp_path / "user").mkdir()
    (tmp_path / "data").rename(tmp_path / "user" / "grokscope")
    return tmp_path


def test_a_run_goes_on_where_its_recorded_data_folder_is_not(travelled: Path, grokscope_here: Command) -> None:
    done = grokscope_here("train", "-o", "run.h5", "--resume", "--steps", "5", cwd=travelled)
    assert done.exit_code == 0, done.stderr
    [note] = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert "no mnist in data" in note
    assert str(travelled / "user" / "grokscope") in note
    run = Run.open(travelled / "run.h5")
    assert run.complete
    assert run.steps[-1] == 5


def test_seeds_in_a_batch_go_on_as_well(travelled: Path, grokscope_here: Command) -> None:
    shutil.copy(travelled / "run.h5", travelled / "run-seed0.h5")
    options = ["--seeds", "0", "--batched", "--resume", "--steps", "5"]
    done = grokscope_here("train", "-o", "run.h5", *options, cwd=travelled)
    assert done.exit_code == 0, done.stderr
    assert Run.open(travelled / "run-seed0.h5").steps[-1] == 5


def test_a_data_folder_that_was_asked_for_is_the_only_one(travelled: Path, grokscope_here: Command) -> None:
    options = ["--resume", "--steps", "5", "--data-dir", "data"]
    done = grokscope_here("train", "-o", "run.h5", *options, cwd=travelled)
    assert done.exit_code == 2
    assert "no MNIST in data" in done.stderr


def test_a_trap_is_taken_out_where_the_recorded_data_folder_is_not(
    travelled: Path, grokscope_here: Command
) -> None:
    run, last = Run(travelled / "run.h5"), 0
    weights = {layer.name: run.weight(last, layer.name) for layer in run.layers}
    biases = {layer.name: run.bias(last, layer.name) for layer in run.layers}
    weights["fc1"][3, 5] = 100.0  # an entry that makes a trap
    indices = run.fixed("train_indices")
    assert indices is not None
    with RunWriter.create(
        travelled / "spoilt.h5", steps=[0], layers=run.layers, metrics=[], config=run.config, origin="a test",
        fixed={"train_indices": indices},
    ) as writer:  # fmt: skip
        writer.commit(0, weights, biases, {})
    done = grokscope_here("show", "spoilt.h5", "--without-trap", "1", "--json", cwd=travelled)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("note: ")
    assert json.loads(done.stdout)["without_trap"][0]["layer"] == "fc1"
