"""An experiment made ready: data, network and optimizer state behind `advance`, `checkpoint` and `state`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import LayerSpec
from grokscope_train.config import TrainConfig
from grokscope_train.data import CLASSES, Experiment
from grokscope_train.engines import make_engine
from grokscope_train.graphed import graphed_epochs
from grokscope_train.measures import Evaluator
from grokscope_train.network import FlatLayout, Parameters, black_pixels, decay, initial_parameters, pack, unpack
from grokscope_train.order import epoch_order
from grokscope_train.step import STATE, TrainingStep

INITIAL_STREAM = 0
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a run file keeps of one step: arrays by layer name, metrics by name, test labels given [classes]."""

    weights: Arrays
    biases: Arrays
    metrics: dict[str, float]
    predictions: NDArray[np.int32]


class Training:
    """A network at some step of its training, at first at step 0."""

    def __init__(self, config: TrainConfig, experiment: Experiment) -> None:
        """Build everything for a resolved configuration (no "auto" left) and draw the initial parameters."""
        self.config = config
        sizes = config.sizes(experiment.train.pixels.shape[1], CLASSES)
        self.layers = tuple(
            LayerSpec(f"fc{i + 1}", (outputs, inputs)) for i, (inputs, outputs) in enumerate(pairwise(sizes))
        )
        self._black = black_pixels(experiment.train.pixels, config.optimizer, config.weight_decay)
        self._layout = FlatLayout((int((~self._black).sum()), *sizes[1:]))
        self._engine = make_engine(config.engine, config.dtype, config.device, config.threads)
        self._step = self._make_step(experiment)
        self._evaluator = Evaluator(
            self._engine, experiment.train, experiment.test, config.activation, config.loss, config.seed
        )
        self.step = 0
        initial = initial_parameters(
            sizes, config.init_scale, np.random.default_rng([config.seed, INITIAL_STREAM])
        )
        self._initial_black = initial.weights[0][:, self._black].astype(config.dtype)
        self._step.flat[...] = self._engine.array(pack(initial, self._black))
        self._graphed = graphed_epochs(self._step, config.seed)

    def _make_step(self, experiment: Experiment) -> TrainingStep:
        config = self.config
        return TrainingStep(
            self._engine,
            self._layout,
            experiment.train.pixels[:, ~self._black],
            experiment.train.one_hot(),
            batch_size=config.batch_size,
            activation=config.activation,
            loss=config.loss,
            optimizer=config.optimizer,
            hyper=config.hyperparameters(),
        )

    def advance(self, limit: int) -> None:
        """Take training steps, not beyond step `limit`: one on a CPU, a whole epoch on a GPU where it fits."""
        epoch, place = divmod(self.step, self._step.steps_per_epoch)
        if place == 0 and self._graphed is not None and self.step + self._step.steps_per_epoch <= limit:
            self._graphed.replay(epoch)
            self.step += self._step.steps_per_epoch
            return
        if place == 0:
            self._shuffle(epoch)
        self.step += 1
        self._step.step(self.step)

    def _shuffle(self, epoch: int) -> None:
        self._step.shuffle(epoch_order(self.config.seed, epoch, self._step.num_images))

    def parameters(self) -> Parameters:
        """Return copies of all weights and biases, the columns of black pixels included."""
        shrunk = self._initial_black * decay(self.step, self.config.lr, self.config.weight_decay)
        flat = self._engine.to_numpy(self._step.flat)
        return unpack(flat, self._layout, self._black, shrunk.astype(self.config.dtype))

    def checkpoint(self) -> Checkpoint:
        """Evaluate the network as it stands."""
        parameters = self.parameters()
        evaluation = self._evaluator.evaluate(parameters)
        names = [layer.name for layer in self.layers]
        return Checkpoint(
            dict(zip(names, parameters.weights, strict=True)),
            dict(zip(names, parameters.biases, strict=True)),
            evaluation.metrics,
            evaluation.predictions,
        )

    def state(self) -> Arrays:
        """Return all that a resumed run needs besides the step and the configuration, in training dtype."""
        return {**self._step.state(), "initial_black": self._initial_black}

    def state_template(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name → (shape, dtype) of `state`; arrays without elements are left out."""
        return {name: (array.shape, str(array.dtype)) for name, array in self.state().items() if array.size}

    def load_state(self, step: int, state: Arrays) -> None:
        """Continue from a state that was saved after `step` steps."""
        self._step.load_state({name: state[name] for name in STATE})
        self._initial_black = state.get("initial_black", self._initial_black)
        self.step = step
        epoch, place = divmod(step, self._step.steps_per_epoch)
        if place:
            self._shuffle(epoch)
