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
from grokscope_train.network import VECTOR, FlatLayout
from grokscope_train.step import TrainingStep
from grokscope_train.trained_network import Arrays, TrainedNetwork, black_of

if TYPE_CHECKING:
    from grokscope_train.compiled import CompiledSteps


class Training(TrainedNetwork):
    """A network that is trained alone."""

    def __init__(self, config: TrainConfig, experiment: Experiment) -> None:
        """Build everything for a resolved configuration (no "auto" left) and draw the initial parameters."""
        kept = ~black_of(config, experiment)
        epsilon = np.asarray(config.eps, config.dtype)
        if config.engine == "compiled" and epsilon > 0:  # without it 0/0 would move what has no gradient
            kept[np.flatnonzero(~kept)[: -kept.sum() % VECTOR]] = True
        trained = _make_steps(config, experiment.train.pixels[:, kept], experiment.train.one_hot())
        steps = Epochs(trained, [config.seed]) if isinstance(trained, TrainingStep) else trained
        super().__init__(config, experiment, trained, steps, kept, ...)

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
        step = _make_steps(config, pixels, np.stack([e.train.one_hot() for e in experiments]))
        assert isinstance(step, TrainingStep)
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


def _make_steps(
    config: TrainConfig, pixels: NDArray[np.float64], targets: NDArray[np.float64]
) -> TrainingStep | CompiledSteps:
    engine: Any = make_engine(config.engine, config.dtype, config.device, config.threads)
    sizes = config.sizes(pixels.shape[-1], CLASSES)
    if config.engine != "compiled":
        return TrainingStep(engine, FlatLayout(sizes), pixels, targets, config)
    from grokscope_train.compiled import CompiledSteps

    return CompiledSteps(engine, sizes, pixels, targets, config)
