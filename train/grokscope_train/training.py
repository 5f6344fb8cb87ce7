"""Experiments made ready to be trained: one network alone, or those of several seeds as one computation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope_train.config import TrainConfig
from grokscope_train.data import CLASSES, Experiment
from grokscope_train.engines import make_engine
from grokscope_train.epochs import Epochs
from grokscope_train.network import FlatLayout
from grokscope_train.step import TrainingStep
from grokscope_train.trained_network import Arrays, TrainedNetwork, black_of

if TYPE_CHECKING:
    from grokscope_train.compiled import CompiledSteps


VECTOR = 8  # numbers that a processor takes at once; rows of multiples of it are read fastest


class Training(TrainedNetwork):
    """A network that is trained alone."""

    def __init__(self, config: TrainConfig, experiment: Experiment) -> None:
        """Build everything for a resolved configuration (no "auto" left) and draw the initial parameters."""
        kept = ~black_of(config, experiment)
        if config.engine == "compiled" and config.eps > 0:  # without it 0/0 would move what has no gradient
            kept[np.flatnonzero(~kept)[: -kept.sum() % VECTOR]] = True
        data = experiment.train.pixels[:, kept], experiment.train.one_hot()
        if config.engine == "compiled":
            compiled = _compiled_steps(config, *data)
            super().__init__(config, experiment, compiled, compiled, kept, ...)
        else:
            step = _make_step(config, *data)
            super().__init__(config, experiment, step, Epochs(step, [config.seed]), kept, ...)

    @property
    def networks(self) -> Sequence[TrainedNetwork]:
        """The networks in training: this one."""
        return (self,)

    def advance(self, limit: int) -> None:
        """Take training steps, not beyond step `limit`; returns soon, if need be before the limit."""
        self._steps.advance(limit)

    def load_state(self, step: int, state: Arrays) -> None:
        """Continue from a state that was saved after `step` steps."""
        self.put_state(state)
        self.seek(step)

    def seek(self, step: int) -> None:
        """Go on as if `step` steps had been taken."""
        self._steps.seek(step)


class EnsembleTraining:
    """The networks of several seeds, trained as one batched computation; each has the state of a run alone."""

    def __init__(self, configs: Sequence[TrainConfig], experiments: Sequence[Experiment]) -> None:
        """Build everything for resolved configurations that differ in their seeds alone."""
        config = configs[0]
        kept = ~np.all([black_of(*pair) for pair in zip(configs, experiments, strict=True)], axis=0)
        pixels = np.stack([experiment.train.pixels[:, kept] for experiment in experiments])
        step = _make_step(config, pixels, np.stack([e.train.one_hot() for e in experiments]))
        self._epochs = Epochs(step, [config.seed for config in configs])
        self.networks: Sequence[TrainedNetwork] = tuple(
            TrainedNetwork(config, experiment, step, self._epochs, kept, row)
            for row, (config, experiment) in enumerate(zip(configs, experiments, strict=True))
        )

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return self._epochs.done

    def advance(self, limit: int) -> None:
        """Take training steps, not beyond step `limit`: one on a CPU, a whole epoch on a GPU where it fits."""
        self._epochs.advance(limit)

    def load_states(self, step: int, states: Sequence[Arrays]) -> None:
        """Continue from states that were saved after `step` steps, one for each seed."""
        for network, state in zip(self.networks, states, strict=True):
            network.put_state(state)
        self._epochs.seek(step)


def _make_step(config: TrainConfig, pixels: NDArray[np.float64], targets: NDArray[np.float64]) -> TrainingStep:
    engine = make_engine(config.engine, config.dtype, config.device, config.threads)
    layout = FlatLayout(config.sizes(pixels.shape[-1], CLASSES))
    return TrainingStep(engine, layout, pixels, targets, **_learning(config))


def _compiled_steps(
    config: TrainConfig, pixels: NDArray[np.float64], targets: NDArray[np.float64]
) -> CompiledSteps:
    engine = make_engine(config.engine, config.dtype, config.device, config.threads)
    from grokscope_train.compiled import CompiledEngine, CompiledSteps

    assert isinstance(engine, CompiledEngine)
    sizes = config.sizes(pixels.shape[-1], CLASSES)
    return CompiledSteps(engine, sizes, pixels, targets, seed=config.seed, **_learning(config))


def _learning(config: TrainConfig) -> dict[str, Any]:
    """Return what decides a step besides its data."""
    return {
        "batch_size": config.batch_size,
        "activation": config.activation,
        "loss": config.loss,
        "optimizer": config.optimizer,
        "hyper": config.hyperparameters(),
        "moments_since": config.moments_since,
        "frozen": config.frozen,
    }
