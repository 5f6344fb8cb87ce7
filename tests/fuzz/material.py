"""Sound files of every kind that grokscope reads, small ones, made by its own commands and by their libraries."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

RUN, SPECTRA, TABLE = "run.h5", "run.spectra.h5", "metrics.csv"
STEPS = (10, 20, 40)
SHAPES = {"fc1": (12, 64), "fc2": (12, 12), "fc3": (10, 12)}  # as in the run: a null distribution each is enough
SECRET = 40961.25  # what a file holds that nothing may read: it lies beside the folder that a command is given
EXTENSIONS = {"safetensors": ".safetensors", "pt": ".pt", "npz": ".npz"}
Tensors = dict[str, NDArray[np.float32]]


def tensors_at(step: int) -> Tensors:
    """The tensors of a checkpoint: the same in every process."""
    generator = np.random.default_rng(step)
    tensors = {}
    for layer, shape in SHAPES.items():
        tensors[f"{layer}.weight"] = generator.normal(size=shape).astype(np.float32)
        tensors[f"{layer}.bias"] = generator.normal(size=shape[0]).astype(np.float32)
    return tensors


def save(path: Path, tensors: Tensors) -> None:
    """Save tensors in the format that the file's ending names."""
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    elif path.suffix == ".npz":
        np.savez(path, **tensors)  # type: ignore[arg-type]  # its stub takes the names for flags
    else:
        torch.save({name: torch.from_numpy(array) for name, array in tensors.items()}, path)


def make(folder: Path, command: Callable[..., int]) -> None:
    """Fill a folder with one folder for each kind; `command` runs grokscope and returns its exit code."""
    for kind, extension in EXTENSIONS.items():
        (folder / kind).mkdir(parents=True)
        for step in STEPS:
            save(folder / kind / f"step-{step}{extension}", tensors_at(step))
        _write_table(folder / kind / TABLE)
    run = folder / "run" / RUN
    run.parent.mkdir()
    options = "--dataset digits --steps 40 --width 12 --checkpoints-per-decade 3 --train-points 100 --engine torch"
    assert command("train", "-o", run, *options.split(), "--threads", "1", "--init-scale", "1") == 0
    assert command("analyze", "-j", "1", run) == 0
    save(folder / "secret.npz", {"fc1.weight": np.full((12, 64), SECRET, np.float32)})


def _write_table(path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "train_accuracy", "test_accuracy"])
        table.writerows([step, step / 50, step / 60] for step in STEPS)
