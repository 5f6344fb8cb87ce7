"""What is recorded of a network at a checkpoint besides its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import activations
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.engines import Engine
from grokscope_train.losses import log_softmax, loss_value
from grokscope_train.network import Parameters

Array = Any
SPARSITY_THRESHOLDS = {"1e-6": 1e-6, "1e-2": 1e-2, "1e-1": 1e-1}
MASKS = 10  # networks with a tenth of their weights zeroed, at a checkpoint
MASKS_OF_A_LONG_RUN = 100
LONG_RUN = 5_000_000  # steps from which they cost less than 1 % (0.4 % of 10⁷, `benchmarks/recording.py`)
ZEROED = 0.1  # fraction of the weights that a mask zeroes
MASK_STREAM = 3
CHUNK = 1000  # images evaluated at once
GATED = ("relu", "gelu")  # activations whose sign tells whether a unit is lit
OF_EVERY_RUN = (
    "train_accuracy",
    "test_accuracy",
    "train_loss",
    "test_loss",
    *(f"activation_sparsity_{name}" for name in SPARSITY_THRESHOLDS),
    "circuit_complexity",
    "circuit_complexity_sd",
    "circuit_complexity_se",
)
OF_EVERY_LAYER = ("units_lit", "dead_units", "patterns", "purity")


def metric_names(depth: int) -> tuple[str, ...]:
    """Return the names of all metrics of a network with `depth` linear layers."""
    hidden = [f"fc{number}" for number in range(1, depth)]
    sparsities = (f"activation_sparsity_{name}_{layer}" for layer in hidden for name in SPARSITY_THRESHOLDS)
    gates = (f"{name}_{layer}" for layer in hidden for name in OF_EVERY_LAYER)
    return (*OF_EVERY_RUN, *sparsities, *gates)


def num_masks(steps: int) -> int:
    """Return how many masks circuit complexity is the mean over, in a run of so many steps."""
    return MASKS_OF_A_LONG_RUN if steps >= LONG_RUN else MASKS


@dataclass(frozen=True)
class Evaluation:
    """The metrics of a checkpoint by name, and how many test images got each label, int32 [classes]."""

    metrics: dict[str, float]
    predictions: NDArray[np.int32]


class Evaluator:
    """Evaluates a run's networks on its training and test images."""

    def __init__(self, engine: Engine, experiment: Experiment, config: TrainConfig) -> None:
        """Copy the images to where the engine computes."""
        self._engine, self._config, self._num_masks = engine, config, num_masks(config.steps)
        self._masks: list[list[NDArray[np.bool_]]] = []
        self._train, self._test = (
            (engine.images(part.pixels), engine.array(part.one_hot()), part.labels)
            for part in (experiment.train, experiment.test)
        )

    def evaluate(self, parameters: Parameters) -> Evaluation:
        """Compute every metric for a network given by its weights [out, in] and biases [out]."""
        layers = self._on_device(parameters)
        xp, loss = self._engine.xp, self._config.loss
        metrics: dict[str, float] = {}
        train_outputs, hidden = self._outputs(layers, self._train[0])
        metrics["train_accuracy"], _ = self._accuracy(train_outputs, self._train[2])
        metrics["train_loss"] = loss_value(xp, loss, train_outputs, self._train[1])
        test_outputs, _ = self._outputs(layers, self._test[0])
        metrics["test_accuracy"], labels = self._accuracy(test_outputs, self._test[2])
        metrics["test_loss"] = loss_value(xp, loss, test_outputs, self._test[1])
        metrics |= self._sparsity(hidden)
        metrics |= self._gates(hidden)
        metrics |= self._circuit_complexity(parameters, train_outputs)
        classes = train_outputs.shape[1]
        return Evaluation(metrics, np.bincount(labels, minlength=classes).astype(np.int32))

    def _on_device(self, parameters: Parameters) -> list[tuple[Array, Array]]:
        return [(self._engine.array(weight), self._engine.array(bias)) for weight, bias in parameters.layers]

    def _outputs(self, layers: list[tuple[Array, Array]], images: Array) -> tuple[Array, list[Array]]:
        """Return outputs [n, classes] and the hidden activations [n, width] of every layer."""
        xp, activation = self._engine.xp, self._config.activation
        chunks = self._engine.map(lambda chunk: activations(xp, layers, chunk, activation)[0], _chunks(images))
        *hidden, outputs = (xp.concatenate(parts) for parts in zip(*chunks, strict=True))
        return outputs, hidden

    def _accuracy(self, outputs: Array, labels: NDArray[np.int64]) -> tuple[float, NDArray[np.int64]]:
        predicted = self._engine.to_numpy(outputs.argmax(1))
        return float(np.mean(predicted == labels)), predicted

    def _sparsity(self, hidden: list[Array]) -> dict[str, float]:
        """Return the fraction of hidden activations below each threshold (paper, eq. 9), pooled and by layer."""
        layers = [self._engine.to_numpy(values).ravel() for values in hidden]
        neurons = sum(len(values) for values in layers)
        found = {}
        for name, threshold in SPARSITY_THRESHOLDS.items():
            below = [int(np.count_nonzero(values < threshold)) for values in layers]
            found[f"activation_sparsity_{name}"] = sum(below) / neurons if neurons else float("nan")
            for number, (count, values) in enumerate(zip(below, layers, strict=True), start=1):
                found[f"activation_sparsity_{name}_fc{number}"] = count / len(values)
        return found

    def _gates(self, hidden: list[Array]) -> dict[str, float]:
        """Return `gate_measures` of every hidden layer, by metric; nothing for activations that have no gates."""
        if self._config.activation not in GATED:
            return {}
        layers = [gate_measures(self._engine.to_numpy(values) > 0, self._train[2]) for values in hidden]
        return {
            f"{name}_fc{number}": value
            for number, layer in enumerate(layers, start=1)
            for name, value in zip(OF_EVERY_LAYER, layer, strict=True)
        }

    def _circuit_complexity(self, parameters: Parameters, outputs: Array) -> dict[str, float]:
        """Return mean, standard deviation over masks and standard error of Σ_x KL(p_W ‖ p_W′) (paper, eq. 10).

        W′ is W with a random tenth of its weights zeroed. The masks are the same at every checkpoint, so that
        a trend is the network's and not the masks'.
        """
        xp, activation = self._engine.xp, self._config.activation
        log_p = log_softmax(xp, outputs)
        probabilities = xp.exp(log_p)

        def divergence(masks: list[NDArray[np.bool_]]) -> float:
            weights = [weight * mask for weight, mask in zip(parameters.weights, masks, strict=True)]
            layers = self._on_device(Parameters(weights, parameters.biases))
            chunks = [activations(xp, layers, chunk, activation)[0][-1] for chunk in _chunks(self._train[0])]
            masked = xp.concatenate(chunks)
            return float((probabilities * (log_p - log_softmax(xp, masked))).sum())

        divergences = self._engine.map(divergence, self._masks_for(parameters))
        deviation = float(np.std(divergences, ddof=1))
        return {
            "circuit_complexity": float(np.mean(divergences)),
            "circuit_complexity_sd": deviation,
            "circuit_complexity_se": deviation / math.sqrt(self._num_masks),
        }

    def _masks_for(self, parameters: Parameters) -> list[list[NDArray[np.bool_]]]:
        """Return the masks, which keep nine tenths of every layer's weights; they are drawn once."""
        if not self._masks:
            generators = [
                np.random.default_rng([self._config.seed, MASK_STREAM, mask]) for mask in range(self._num_masks)
            ]
            self._masks = [
                [generator.random(weight.shape) >= ZEROED for weight in parameters.weights]
                for generator in generators
            ]
        return self._masks


def gate_measures(lit: NDArray[np.bool_], labels: NDArray[np.int64]) -> tuple[float, float, float, float]:
    """Measure which units light for which images: bool [images, units], with the images' labels, int64 [images].

    Returns the units lit by an image on average, the units that no image lights, the number of different on/off
    patterns among the images, and the units' class purity: of the images that light a unit the share of its
    commonest class, on average over the units that any image lights (NaN where none does).
    """
    counts = np.eye(int(labels.max()) + 1)[labels].T @ lit
    images = counts.sum(axis=0)
    alive = images > 0
    purity = float((counts.max(axis=0)[alive] / images[alive]).mean()) if alive.any() else float("nan")
    patterns = len(np.unique(np.packbits(lit, axis=1), axis=0))
    return float(lit.sum(axis=1).mean()), float((~alive).sum()), float(patterns), purity


def _chunks(images: Array) -> list[Array]:
    return [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
