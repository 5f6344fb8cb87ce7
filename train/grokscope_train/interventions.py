"""What a network could still do: accuracy with its gates opened, its readout refitted, or its weights averaged.

The network itself is trained no further. Each intervention changes one thing of a checkpoint, so that what comes
back was still there; readouts and heads that are fitted anew say how much a layer still tells of its input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope_train.activations import activations
from grokscope_train.choose import soonest
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, Images
from grokscope_train.edits import with_open_gates
from grokscope_train.network import Parameters
from grokscope_train.readout import fit_readout
from grokscope_train.training import Training

Array = NDArray[np.float64]
HEAD_STEPS = 2000  # heads know all training images after some hundred


@dataclass(frozen=True)
class Outcome:
    """Accuracies with one intervention, as fractions; left_out_accuracy where a readout was fitted, else None."""

    intervention: str
    train_accuracy: float
    test_accuracy: float
    left_out_accuracy: float | None = None


def as_it_is(name: str, parameters: Parameters, experiment: Experiment, activation: str) -> Outcome:
    """Evaluate a network under a name."""
    train, test = (
        _accuracy(activations(np, parameters.layers, part.pixels, activation)[0][-1], part)
        for part in (experiment.train, experiment.test)
    )
    return Outcome(name, train, test)


def refitted(name: str, network: Parameters, layer: int, experiment: Experiment, activation: str) -> Outcome:
    """Read the classes from hidden layer `layer` (0 the first) by a readout fitted to the training images."""
    seen = _seen_by(network, layer, experiment, activation)
    readout = fit_readout(seen.train.pixels, seen.train.labels)
    train, test = (
        _accuracy(part.pixels @ readout.weight.T + readout.bias, part) for part in (seen.train, seen.test)
    )
    return Outcome(name, train, test, readout.left_out_accuracy)


def with_fresh_heads(name: str, network: Parameters, experiment: Experiment, config: TrainConfig) -> Outcome:
    """Train the layers above the first one anew, from an ordinary initialisation, by HEAD_STEPS steps."""
    seen = _seen_by(network, 0, experiment, config.activation)
    heads = dataclasses.replace(
        config, depth=config.depth - 1, init_scale=1.0, freeze="", branch=None, keep_states="", engine=soonest(),
        device="cpu", threads=1, steps=HEAD_STEPS,
    )  # fmt: skip
    training = Training(heads, seen)
    while training.step < HEAD_STEPS:
        training.advance(HEAD_STEPS)
    return as_it_is(name, training.parameters(), seen, config.activation)


def interventions(
    last: Sequence[Parameters],
    first: Parameters,
    experiment: Experiment,
    config: TrainConfig,
    *,
    first_step: int = 0,
    open_gates: bool = False,
    refit: bool = False,
    average: int | None = None,
) -> list[Outcome]:
    """Evaluate the last of some checkpoints as it is and with each intervention that is asked for.

    `last` ends with the checkpoint in question; `average` takes the mean of that many. With `refit` every hidden
    layer gets a new readout and the first one new heads. The controls are those of the first layer of `first`, the
    run's first checkpoint: at step 0 nothing has trained it, a branch begins at a later one.
    """
    now = last[-1]
    networks = {"as it is": now}
    if open_gates:
        networks["gates opened"] = with_open_gates(now, experiment.train.pixels)
    if average is not None:
        networks[f"average of the last {average}"] = mean_of(last[-average:])
    found = [as_it_is(name, network, experiment, config.activation) for name, network in networks.items()]
    if refit:
        for name, network in networks.items():
            found += _refits("" if network is now else f"{name}, ", network, experiment, config)
        layer = f"fc1 at step {first_step:,}" if first_step else "the initial fc1"
        found.append(refitted(f"control: readout of {layer}", first, 0, experiment, config.activation))
        found.append(with_fresh_heads(f"control: fresh heads on {layer}", first, experiment, config))
    return found


def _refits(before: str, network: Parameters, experiment: Experiment, config: TrainConfig) -> Iterator[Outcome]:
    for layer in range(len(network.weights) - 1):
        yield refitted(f"{before}readout refitted on fc{layer + 1}", network, layer, experiment, config.activation)
    yield with_fresh_heads(f"{before}fresh heads on fc1", network, experiment, config)


def _seen_by(network: Parameters, layer: int, experiment: Experiment, activation: str) -> Experiment:
    """Return the experiment whose images are the activations of a hidden layer."""
    train, test = (
        Images(activations(np, network.layers, part.pixels, activation)[0][layer], part.labels)
        for part in (experiment.train, experiment.test)
    )
    return Experiment(train, test, experiment.train_indices)


def mean_of(networks: Sequence[Parameters]) -> Parameters:
    """Return the network whose weights and biases are the means of the given ones."""
    weights, biases = (
        [np.mean(same, axis=0) for same in zip(*(getattr(network, part) for network in networks), strict=True)]
        for part in ("weights", "biases")
    )
    return Parameters(weights, biases)


def _accuracy(outputs: Array, images: Images) -> float:
    return float(np.mean(outputs.argmax(axis=1) == images.labels))
