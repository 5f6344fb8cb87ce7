"""Starting and resuming runs: everything between the command line and the loop."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grokscope.errors import BadRunFile, StorageError, UsageError
from grokscope.files import refuse_existing, refuse_without_folder, resolved
from grokscope.runfile import Run, RunWriter
from grokscope_train.choose import resolve
from grokscope_train.config import FORMER_ENGINE, ORIGIN, TrainConfig, option
from grokscope_train.data import CLASSES, Experiment, load_experiment
from grokscope_train.engines import spin_briefly
from grokscope_train.environment import environment_of
from grokscope_train.plan import kept_steps, planned_steps
from grokscope_train.recorded import data_folder, train_indices
from grokscope_train.trained_network import TrainedNetwork, layer_specs
from grokscope_train.training import Training

CHANGEABLE = ("steps",)  # on resume; every other option is the run's own
PLACE = ("engine", "device", "threads")  # where it was trained: other bits, the same experiment


def start(path: Path, config: TrainConfig, data_dir: Path | None, overwrite: bool) -> tuple[Training, RunWriter]:
    """Create a run file and make its training ready at step 0."""
    refuse_early(path, overwrite)
    spin_briefly()
    experiment = load_experiment(config, data_dir)
    config = resolve(config, experiment)
    training = Training(config, experiment)
    return training, create_file(path, training, experiment, data_dir, overwrite)


def resume(
    path: Path, given: Mapping[str, Any], data_dir: Path | None, other_place: bool
) -> tuple[Training, RunWriter]:
    """Open a run file and make its training ready at its last saved state.

    `given` are the options that the user spelt out: they have to agree with the run's own, but for more steps.
    With `other_place` engine, device and threads may differ, at the price of other last bits.
    """
    run, config = open_recorded(path, given, other_place)
    spin_briefly()
    data_dir = data_folder(run, data_dir)
    experiment = load_experiment(config, data_dir, train_indices(run))
    training = Training(config, experiment)
    writer = reopen_file(run, config, data_dir)
    try:
        saved = writer.load_resume()
        if saved is not None:
            training.load_state(*saved)
        elif config.branch is not None:
            raise BadRunFile(f"{path} was killed before its first state was saved; make the branch again")
    except BaseException:
        writer.close()
        raise
    return training, writer


def create_file(
    path: Path,
    network: TrainedNetwork,
    experiment: Experiment,
    data_dir: Path | None,
    overwrite: bool,
    num_seeds: int = 1,
) -> RunWriter:
    """Create the run file of a network, which is one of `num_seeds` that are trained together."""
    config = network.config
    return RunWriter.create(
        path,
        steps=planned_steps(config),
        layers=network.layers,
        metrics=network.metrics,
        config=_recorded(config, data_dir, num_seeds),
        origin=ORIGIN,
        classes=CLASSES,
        store_dtype=config.store_dtype,
        fixed={"train_indices": experiment.train_indices},
        resume_arrays=network.state_template(),
        kept_states=len(kept_steps(config)),
        overwrite=overwrite,
    )


def open_recorded(path: Path, given: Mapping[str, Any], other_place: bool) -> tuple[Run, TrainConfig]:
    """Open a run file to be resumed; return it with its configuration, changed as `given` may change it."""
    run = Run.open(path)
    if run.origin != ORIGIN:
        raise BadRunFile(f"{path} was not made by `grokscope train` and cannot be resumed by it")
    _refuse_read_only(path)
    config = TrainConfig.of_run(run.config)
    if run.config.get("engine") == FORMER_ENGINE and not other_place:
        raise UsageError(
            f"{path} was trained with --engine {FORMER_ENGINE}, which is no more; add --other-place to go on with "
            "--engine compiled, which gives other last bits"
        )
    if run.layers != layer_specs(config.sizes(run.layers[0].shape[-1], CLASSES)):
        raise BadRunFile(f"the layers of {path} are not those of its configuration; restore the file from a copy")
    if max(run.planned_steps.max(initial=0), run.steps.max(initial=0)) > config.steps:
        raise BadRunFile(f"{path} has steps beyond its configuration's {config.steps:,}; restore it from a copy")
    return run, _agreed(config, given, path, other_place)


def reopen_file(run: Run, config: TrainConfig, data_dir: Path | None, num_seeds: int = 1) -> RunWriter:
    """Open a run file for writing, made larger where the configuration has more steps than the file."""
    writer = RunWriter.reopen(run.path)
    try:
        if config != TrainConfig.of_run(run.config) or run.config.get("engine") != config.engine:
            kept = len(kept_steps(config))
            writer.extend(planned_steps(config), _recorded(config, data_dir, num_seeds), kept)
    except BaseException:
        writer.close()
        raise
    return writer


def _agreed(config: TrainConfig, given: Mapping[str, Any], path: Path, other_place: bool) -> TrainConfig:
    """Return the run's configuration with what may be changed on resume; raises UsageError for the rest."""
    changes = {}
    for name, value in given.items():
        recorded = getattr(config, name)
        if value == recorded or (name in PLACE and value in ("auto", 0)):
            continue
        if name in PLACE and not other_place:
            raise UsageError(
                f"{path} was trained with {option(name)} {recorded}, and {value} gives other last bits; "
                f"leave {option(name)} out, or add --other-place to accept that"
            )
        if name == "steps" and value < recorded:
            raise UsageError(f"{path} is planned to {recorded:,} steps; --steps can only be raised on resume")
        if name not in (*CHANGEABLE, *PLACE):
            raise UsageError(
                f"{path} was started with {option(name)} {recorded}; leave the option out, or start a new run"
            )
        changes[name] = value
    return dataclasses.replace(config, **changes)


def _recorded(config: TrainConfig, data_dir: Path | None, num_seeds: int) -> dict[str, object]:
    """Return the configuration as it is kept in the file, with where and by what it was trained."""
    place = str(data_dir) if data_dir else None  # as it was given: a file that travels names no home folder
    environment: dict[str, object] = {**environment_of(config.engine, config.device)}
    if num_seeds > 1:
        environment["num_seeds"] = num_seeds  # a batched product has other last bits than a single one
    return {**dataclasses.asdict(config), "data_dir": place, "environment": environment}


def refuse_early(path: Path, overwrite: bool) -> None:
    """Find out before the data is loaded and steps are compiled that the file cannot be made."""
    refuse_existing(path, overwrite)
    refuse_without_folder(path)
    _refuse_read_only(path)


def _refuse_read_only(path: Path) -> None:
    folder = resolved(path).parent
    if not os.access(folder, os.W_OK):
        raise StorageError(f"cannot write in {folder}; choose another folder")
