"""Small real runs to test the run file with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.runfile import LayerSpec, RunWriter

LAYERS = (LayerSpec("fc1", (6, 9)), LayerSpec("fc2", (4, 6), bias=False))
STEPS = np.array([0, 1, 2, 5, 10])
WEIGHT = "layers/fc1/weight"
Arrays = dict[str, NDArray[Any]]


def checkpoint_arrays(index: int) -> tuple[Arrays, Arrays]:
    """The weights and biases that checkpoint `index` of a test run has: the same in every process."""
    rng = np.random.default_rng(index)
    weights = {layer.name: rng.normal(size=layer.shape).astype(np.float32) for layer in LAYERS}
    return weights, {"fc1": rng.normal(size=6).astype(np.float32)}


def create(path: Path, **options: Any) -> RunWriter:
    """Create the test run's file."""
    defaults: dict[str, Any] = {
        "steps": STEPS,
        "layers": LAYERS,
        "metrics": ["train_accuracy", "test_accuracy"],
        "config": {"seed": 3},
        "origin": "a test",
        "classes": 4,
        "resume_arrays": {"parameters": ((7,), "float64"), "counter": ((1,), "int64")},
    }
    return RunWriter.create(path, **(defaults | options))


def commit(writer: RunWriter, index: int) -> None:
    """Commit checkpoint `index` with its arrays and made-up, recognisable metrics."""
    weights, biases = checkpoint_arrays(index)
    writer.commit(index, weights, biases, {"train_accuracy": index / 10}, np.full(4, index))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run with three checkpoints and both training states."""
    path = tmp_path / "run.h5"
    with create(path) as writer:
        for index in range(3):
            commit(writer, index)
            writer.save_resume(index, {"parameters": np.full(7, index), "counter": np.array([index])})
    return path


@pytest.fixture
def run_with(tmp_path: Path) -> Callable[[int], Path]:
    """A closed run file with that many checkpoints committed."""

    def make(checkpoints: int) -> Path:
        path = tmp_path / "run.h5"
        with create(path) as writer:
            for index in range(checkpoints):
                commit(writer, index)
        return path

    return make
