"""A run whose weights tell a whole story: random, then learned directions, then gates that close."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import LayerSpec, RunWriter

LAYERS = (LayerSpec("fc1", (60, 64)), LayerSpec("fc2", (60, 60)), LayerSpec("fc3", (10, 60)))
COUNT = 8
LEARNED, CLOSED = 2, 5  # the checkpoints from which they are
SAID = [
    "unknown",
    "pre-grokking",
    "grokking",
    "grokking",
    "grokking",
    "undecided",
    "anti-grokking",
    "anti-grokking",
]
CONFIG = {"activation": "relu", "input_range": [0, 1], "loss": "mse"}

Array = NDArray[np.float64]


def weights(index: int) -> dict[str, Array]:
    """Large random layers that turn a little every time; three directions of fc1, then a drift below 0."""
    rng = np.random.default_rng(0)
    made = {layer.name: rng.normal(0, 4 / np.sqrt(layer.shape[1]), layer.shape) for layer in LAYERS}
    directions = rng.normal(size=(3, 60)), rng.normal(size=(3, 64))
    turn = np.random.default_rng([1, index])
    for layer in LAYERS:
        made[layer.name] += turn.normal(0, 0.02, layer.shape)
    if index >= LEARNED:
        made["fc1"] += 0.5 * directions[0].T @ directions[1]
    if index >= CLOSED:
        made["fc1"] -= 0.6
    return made


def write_collapsing_run(path: Path, **config: object) -> Path:
    """Write the story, in the precision of training."""
    with RunWriter.create(
        path,
        steps=np.arange(COUNT),
        layers=LAYERS,
        metrics=[],
        config=CONFIG | config,
        origin="a test",
        store_dtype="float64",
    ) as writer:
        for index in range(COUNT):
            writer.commit(index, weights(index), {layer.name: np.zeros(layer.shape[0]) for layer in LAYERS}, {})
    return path
