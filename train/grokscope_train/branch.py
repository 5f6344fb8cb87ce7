"""A branch: a new run that leaves another's trajectory at a checkpoint and goes on with something changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import BadRunFile, UsageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.kept_states import load_state, state_steps
from grokscope_train.config import FORMER_ENGINE, ORIGIN, Branch, TrainConfig
from grokscope_train.data import CLASSES, Experiment, load_experiment
from grokscope_train.edits import with_open_gates, without_means, without_traps
from grokscope_train.engines import spin_briefly
from grokscope_train.network import FlatLayout, Parameters, unpack
from grokscope_train.recorded import data_folder, train_indices
from grokscope_train.run import create_file, refuse_early
from grokscope_train.trained_network import Arrays, black_columns, black_of
from grokscope_train.training import Training

KEPT, WEIGHTS = "kept", "weights"  # what a branch began from


@dataclass(frozen=True)
class Edits:
    """What is done to the weights where the branch begins; nothing by default."""

    without_trap: int | None = None
    open_gates: bool = False
    clip_mean: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is done."""
        return self.without_trap is not None or self.open_gates or self.clip_mean

    def apply(
        self, parameters: Parameters, experiment: Experiment, step: int
    ) -> tuple[Parameters, tuple[str, ...]]:
        """Return the edited parameters, and what was done in a few words each.

        Raises UsageError where no layer has the trap that was to be taken out.
        """
        done = []
        if self.without_trap is not None:
            parameters, layers = without_traps(parameters, self.without_trap, step)
            if not layers:
                raise UsageError(f"no layer has {self.without_trap} or more traps at step {step:,}")
            done.append(f"trap {self.without_trap} taken out of {', '.join(layers)}")
        if self.clip_mean:
            parameters = without_means(parameters)
            done.append("means subtracted")
        if self.open_gates:
            parameters = with_open_gates(parameters, experiment.train.pixels)
            done.append("gates of fc1 opened")
        return parameters, tuple(done)


@dataclass(frozen=True)
class Whole:
    """A parent's parameters and both moments of them at a step, in the dtype of its training."""

    parameters: Parameters
    first: Parameters
    second: Parameters


def start_branch(
    parent: Path,
    at: int,
    output: Path,
    given: Mapping[str, Any],
    edits: Edits,
    *,
    fresh_moments: bool = False,
    data_dir: Path | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
) -> tuple[Training, RunWriter]:
    """Create the run file of a branch that leaves `parent` at its last checkpoint or kept state up to step `at`.

    `given` are the options that differ from the parent's. Without a training state of that step the branch begins
    from the checkpoint's weights as they are stored, with fresh moments, and `tell` is called with a sentence that
    says so. Raises UsageError for a step before the first or an edit that changes nothing, BadRunFile where
    the parent was not made by `grokscope train`.
    """
    run = Run.open(parent)
    if run.origin != ORIGIN:
        raise BadRunFile(f"{parent} was not made by `grokscope train`, so there is no training to branch")
    refuse_early(output, overwrite)
    if output.exists() and output.samefile(parent):
        raise UsageError(f"{output} is the parent itself; name another file for the branch")
    old = TrainConfig.of_run(run.config)
    if run.config.get("engine") == FORMER_ENGINE:
        tell(
            f"{run.name} was trained with --engine {FORMER_ENGINE}, which is no more: the branch is trained with "
            f"--engine {old.engine}, which gives other last bits"
        )
    step = branch_step(run, at)
    if step != at:
        tell(f"{run.name} has nothing at step {at:,}; the branch leaves it at step {step:,}")
    state = load_state(run.path, step)
    fresh = fresh_moments or state is None or given.get("optimizer", old.optimizer) != old.optimizer
    if state is None:
        tell(
            f"{run.name} keeps no training state of step {step:,}: the branch begins from the weights as stored "
            f"({old.store_dtype}), with fresh moments; `grokscope train --keep-states` keeps them"
        )
    config = child_config(run, old, step, given, KEPT if state else WEIGHTS, fresh)
    spin_briefly()
    data_dir = data_folder(run, data_dir)
    experiment = load_experiment(config, data_dir, train_indices(run))
    training, config = _ready(run, old, config, experiment, step, state, edits, fresh)
    writer = create_file(output, training, experiment, data_dir, overwrite)
    try:
        writer.save_resume(step, training.state())  # before any checkpoint: a killed branch never starts at 0
    except BaseException:
        writer.close()
        raise
    return training, writer


def branch_step(run: Run, at: int) -> int:
    """Return the last step up to `at` of which the run holds a checkpoint or a training state."""
    known = [step for step in {*map(int, run.steps), *state_steps(run.path)} if step <= at]
    if not known:
        raise UsageError(f"{run.path} has no checkpoint up to step {at:,} to branch at")
    return max(known)


def child_config(
    run: Run, old: TrainConfig, step: int, given: Mapping[str, Any], state: str, fresh: bool
) -> TrainConfig:
    """Return the branch's configuration: the parent's, but for what is given."""
    beyond = {} if "steps" in given or old.steps > step else {"steps": 10 * max(step, 1)}
    config = dataclasses.replace(old, **{"keep_states": "", **given, **beyond})
    if config.steps <= step:
        raise UsageError(f"--steps is {config.steps:,}, and the branch begins at {step:,}; give more")
    same_decay = (config.lr, config.weight_decay, config.frozen) == (old.lr, old.weight_decay, old.frozen)
    decay_since = old.branch.decay_since if old.branch else 0
    branch = Branch(
        parent=run.uuid,
        parent_name=run.name,
        step=step,
        state=state,
        moments_since=step if fresh else old.moments_since,
        decay_since=decay_since if state == KEPT and same_decay else step,
    )
    return dataclasses.replace(config, branch=branch)


def _ready(
    run: Run,
    old: TrainConfig,
    config: TrainConfig,
    experiment: Experiment,
    step: int,
    state: Arrays | None,
    edits: Edits,
    fresh: bool,
) -> tuple[Training, TrainConfig]:
    """Return the training at the branch's first step, and its configuration with what was done to the weights."""
    assert config.branch is not None
    same_layout = np.array_equal(black_of(old, experiment), black_of(config, experiment))
    if state is not None and same_layout and not fresh and not edits.any and config.branch.decay_since != step:
        training = Training(config, experiment)
        training.load_state(step, state)
        return training, config
    whole = _of_state(old, experiment, step, state) if state is not None else _of_weights(run, old, step)
    parameters, done = edits.apply(whole.parameters, experiment, step)
    config = dataclasses.replace(config, branch=dataclasses.replace(config.branch, edits=done, decay_since=step))
    training = Training(config, experiment)
    moments = [_zeros_like(parameters)] * 2 if fresh else [whole.first, whole.second]
    training.put_parameters(parameters, *moments)
    training.seek(step)
    return training, config


def _of_state(config: TrainConfig, experiment: Experiment, step: int, state: Arrays) -> Whole:
    black = black_of(config, experiment)
    sizes = config.sizes(experiment.train.pixels.shape[1], CLASSES)
    layout = FlatLayout((int((~black).sum()), *sizes[1:]))
    saved = state.get("initial_black", np.zeros((sizes[1], 0), config.dtype))
    columns = black_columns(saved, config, step)
    return Whole(
        unpack(state["flat"], layout, black, columns),
        unpack(state["first"], layout, black, np.zeros_like(columns)),
        unpack(state["second"], layout, black, np.zeros_like(columns)),
    )


def _of_weights(run: Run, config: TrainConfig, step: int) -> Whole:
    index = int(np.flatnonzero(run.steps == step)[0])
    run.verify(index)
    weights = [run.weight(index, layer.name).astype(config.dtype) for layer in run.layers]
    biases = [run.bias(index, layer.name).astype(config.dtype) for layer in run.layers]
    parameters = Parameters(weights, biases)
    return Whole(parameters, _zeros_like(parameters), _zeros_like(parameters))


def _zeros_like(parameters: Parameters) -> Parameters:
    def zeros(arrays: Any) -> list[NDArray[Any]]:
        return [np.zeros_like(array) for array in arrays]

    return Parameters(zeros(parameters.weights), zeros(parameters.biases))
