"""Small runs with a known story: memorised, generalised, collapsed, with planted traps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis import Parameters, analyze
from grokscope.runfile import LayerSpec, Run, RunWriter

LAYERS = (LayerSpec("fc1", (40, 64)), LayerSpec("fc2", (40, 40)), LayerSpec("fc3", (10, 40)))
STEPS = [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000]
TRAIN = [0.1, 0.1, 0.2, 0.5, 0.9, 1, 1, 1, 1, 1, 1, 1]
TEST = [0.1, 0.1, 0.1, 0.12, 0.15, 0.2, 0.2, 0.5, 0.8, 0.86, 0.6, 0.5]
GROKKING, COLLAPSE = 7, 10
"""Where the observed phases begin, by the accuracies above."""

PLANTED = (5, 27, 9.0)
"""The entry of fc1 that is a trap from the collapse on: row, column, value."""


def weights(index: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Gaussian layers; a shifted mean in fc2 from grokking on, one large entry in fc1 from the collapse on."""
    rng = np.random.default_rng([seed, index])
    made = {layer.name: rng.normal(0, 0.3, layer.shape) for layer in LAYERS}
    if index >= GROKKING:
        made["fc2"] += 0.4
    if index >= COLLAPSE:
        row, column, value = PLANTED
        made["fc1"][row, column] = value
    return made


def metrics(index: int) -> dict[str, float]:
    """What a trainer records at a checkpoint."""
    return {
        "train_accuracy": TRAIN[index],
        "test_accuracy": TEST[index],
        "train_loss": 1 / (index + 1),
        "test_loss": 1.0,
        "activation_sparsity_1e-2": 0.5,
        "circuit_complexity": 3.0 + index,
        "circuit_complexity_sd": 0.5,
    }


def predictions(index: int) -> np.ndarray:
    """1,000 test images; label 3 swallows the rest after the collapse."""
    counts = np.full(10, 100)
    if index >= COLLAPSE:
        counts[:], counts[3] = 30, 730
    return counts


def create(
    path: Path,
    steps: list[int] | None = None,
    layers: tuple[LayerSpec, ...] = LAYERS,
    config: dict[str, object] | None = None,
) -> RunWriter:
    """A run file without checkpoints."""
    return RunWriter.create(
        path, steps=STEPS if steps is None else steps, layers=layers, metrics=list(metrics(0)),
        config=config or {}, origin="test", classes=10,
    )  # fmt: skip


def commit(writer: RunWriter, index: int, seed: int = 0) -> None:
    """Write one checkpoint of the story."""
    biases = {layer.name: np.zeros(layer.shape[0]) for layer in LAYERS}
    writer.commit(index, weights(index, seed), biases, metrics(index), predictions(index))


def write_run(path: Path, count: int = len(STEPS), seed: int = 0) -> Path:
    """A run with `count` checkpoints of the story, finished when it has all."""
    with create(path) as writer:
        for index in range(count):
            commit(writer, index, seed)
        if count == len(STEPS):
            writer.heartbeat(STEPS[-1], 1.0, "finished")
    return path


@pytest.fixture(scope="session")
def analysed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole story, analysed; for tests that only look."""
    path = write_run(tmp_path_factory.mktemp("story") / "story.h5")
    analyze(Run.open(path), parameters=Parameters(permutations=3, null_draws=200))
    return path


@pytest.fixture
def own_run(analysed_run: Path, tmp_path: Path) -> Path:
    """A copy of the analysed story in a folder of its own, for tests that write beside it."""
    for name in ("story.h5", "story.spectra.h5"):
        shutil.copy(analysed_run.with_name(name), tmp_path / name)
    return tmp_path / "story.h5"


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., Path]:
    """Make a run, not analysed, with as many checkpoints as wanted."""

    def make(count: int = len(STEPS), name: str = "live.h5", seed: int = 0) -> Path:
        return write_run(tmp_path / name, count, seed)

    return make
