"""One seed's network within a training: what is recorded of it, and the state that is saved for it.

In a stack of several seeds a pixel is left out where it is black for all of them. One that is black for this seed
alone has a column in the stack; it rests at 0 there, since its gradient is 0, and never reaches a file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import LayerSpec
from grokscope_train.config import TrainConfig
from grokscope_train.data import CLASSES, Experiment
from grokscope_train.measures import Evaluator, metric_names
from grokscope_train.network import FlatLayout, Parameters, black_pixels, decay, initial_parameters, pack, unpack
from grokscope_train.optimizer_measures import (
    LARGEST_LOSS,
    gradient_metrics,
    gradient_norms,
    measure_moments,
    names_of_optimizer_metrics,
)
from grokscope_train.step import STATE

if TYPE_CHECKING:
    from grokscope_train.compiled.step import CompiledLayout, CompiledSteps
    from grokscope_train.epochs import Epochs
    from grokscope_train.step import TrainingStep

INITIAL_STREAM = 0
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """What a run file keeps of one step: arrays by layer name, metrics by name, test labels given [classes]."""

    weights: Arrays
    biases: Arrays
    metrics: dict[str, float]
    predictions: NDArray[np.int32]


def layer_specs(sizes: Sequence[int]) -> tuple[LayerSpec, ...]:
    """Return the layers of a network of these widths, from the input to the output."""
    return tuple(LayerSpec(f"fc{i + 1}", (outputs, inputs)) for i, (inputs, outputs) in enumerate(pairwise(sizes)))


class TrainedNetwork:
    """A network at the step that its training has reached, at first at step 0."""

    def __init__(
        self,
        config: TrainConfig,
        experiment: Experiment,
        trained: TrainingStep | CompiledSteps,
        steps: Epochs | CompiledSteps,
        kept: NDArray[np.bool_],
        row: int | EllipsisType,
    ) -> None:
        """Draw the initial parameters into `trained`, whose first layer has the `kept` pixels, bool [pixels].

        `row` is the seed's place in a stack, `...` where this network is trained alone.
        """
        self.config = config
        sizes = config.sizes(experiment.train.pixels.shape[1], CLASSES)
        self.layers = layer_specs(sizes)
        self._trained, self._steps, self._row = trained, steps, row
        self._black = black_of(config, experiment)
        self._layout = FlatLayout((int((~self._black).sum()), *sizes[1:]))
        self._places = _places(trained.layout, ~self._black[kept])
        self._evaluator = Evaluator(trained.engine, experiment, config)
        self._training_data = experiment.train.pixels, experiment.train.one_hot()
        initial = initial_parameters(
            sizes, config.init_scale, np.random.default_rng([config.seed, INITIAL_STREAM])
        )
        self._initial_black = initial.weights[0][:, self._black].astype(config.dtype)
        self._put("flat", pack(initial, self._black))

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return self._steps.done

    def parameters(self) -> Parameters:
        """Return copies of all weights and biases, the columns of black pixels included."""
        black = black_columns(self._initial_black, self.config, self.step)
        return unpack(self._get("flat"), self._layout, self._black, black)

    def put_parameters(self, parameters: Parameters, first: Parameters, second: Parameters) -> None:
        """Take parameters and both moments of them, whole; the training seeks its step."""
        self._initial_black = parameters.weights[0][:, self._black].astype(self.config.dtype)
        for name, values in zip(STATE, (parameters, first, second), strict=True):
            self._put(name, pack(values, self._black))

    def checkpoint(self) -> Checkpoint:
        """Evaluate the network as it stands."""
        parameters = self.parameters()
        evaluation = self._evaluator.evaluate(parameters)
        names = [layer.name for layer in self.layers]
        return Checkpoint(
            dict(zip(names, parameters.weights, strict=True)),
            dict(zip(names, parameters.biases, strict=True)),
            {**evaluation.metrics, **self.optimizer_metrics(parameters)},
            evaluation.predictions,
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics of a checkpoint."""
        return (*metric_names(self.config.depth), *names_of_optimizer_metrics(self.config))

    def optimizer_metrics(self, parameters: Parameters) -> dict[str, float]:
        """Return the gradient, the largest loss of a batch since the last checkpoint, and what the moments say."""
        metrics = {LARGEST_LOSS: self._get_largest() or math.nan}  # 0: no step was taken
        norms = gradient_norms(parameters, *self._training_data, self.config.activation, self.config.loss)
        metrics |= dict(zip(gradient_metrics(self.config.depth), map(float, norms), strict=True))
        if self.config.optimizer == "sgd":
            return metrics
        parts = [self._layout.matrices(self._get(name)) for name in STATE]
        steps = self.step - self.config.moments_since
        return metrics | measure_moments(list(zip(*parts, strict=True)), self.config, steps)

    def forget_largest_loss(self) -> None:
        """Look for the largest loss of a batch anew, from here on."""
        self._trained.largest_loss[self._row] = 0

    def _get_largest(self) -> float:
        largest: Any = self._trained.largest_loss[self._row]
        return float(np.reshape(self._trained.engine.to_numpy(largest), 1)[0])

    def state(self) -> Arrays:
        """Return all that a resumed run needs besides the step and the configuration, in training dtype."""
        return {
            **{name: self._get(name) for name in STATE},
            "initial_black": self._initial_black,
            LARGEST_LOSS: np.full(1, self._get_largest(), self.config.dtype),
        }

    def state_template(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name → (shape, dtype) of `state`; arrays without elements are left out."""
        return {name: (array.shape, str(array.dtype)) for name, array in self.state().items() if array.size}

    def put_state(self, state: Arrays) -> None:
        """Take the parameters and moments of a saved state; the training seeks its step."""
        for name in STATE:
            self._put(name, state[name])
        self._initial_black = state.get("initial_black", self._initial_black)
        # files of before it was recorded do not have it
        self._trained.largest_loss[self._row] = float(state.get(LARGEST_LOSS, np.zeros(1))[0])

    def _get(self, name: str) -> NDArray[Any]:
        """Return a copy of this network's part of one of the step's flat arrays, without its black columns."""
        values = self._trained.engine.to_numpy(getattr(self._trained, name)[self._row])
        return np.asarray(values[self._places])

    def _put(self, name: str, values: NDArray[Any]) -> None:
        whole = np.zeros(self._trained.layout.length)
        whole[self._places] = values
        getattr(self._trained, name)[self._row] = self._trained.engine.array(whole)


def black_of(config: TrainConfig, experiment: Experiment) -> NDArray[np.bool_]:
    """Tell which pixels this experiment leaves out of training, bool [pixels]."""
    return black_pixels(experiment.train.pixels, config.optimizer, config.weight_decay)


def black_columns(saved: NDArray[Any], config: TrainConfig, step: int) -> NDArray[Any]:
    """Return the weights of black pixels at `step` from those that are saved with the state [out, black]."""
    if config.frozen[0]:
        return saved
    steps = step - (config.branch.decay_since if config.branch else 0)
    shrunk = saved * decay(steps, config.lr, config.weight_decay)
    return np.asarray(shrunk, config.dtype)


def _places(layout: FlatLayout | CompiledLayout, columns: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return where the flat array of a network with some of the layout's input columns lies in the layout's."""
    first, *others = layout.matrices(np.arange(layout.length))
    matrices = [first[:, np.append(columns, True)], *others]
    return np.concatenate([matrix.ravel() for matrix in matrices])
