"""Device, engine and threads for a run that left them to us; what is chosen is recorded with the run."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from grokscope_train.config import TrainConfig
from grokscope_train.data import CLASSES, Experiment
from grokscope_train.engines import spin_briefly
from grokscope_train.network import step_operations
from grokscope_train.training import Training

SMALL_STEP = 5e6  # floating-point operations; below, calling a library costs more than its threads save
CALLS_SECONDS = 2e-4  # what the calls of a step cost whatever its size, and so about the time of a small step
OPERATIONS_A_SECOND = 5e10  # of one core, to within a factor of two
LONG_RUN_SECONDS = 10.0  # below, trying engines out is not worth its time
TRIAL_SECONDS = 0.2
THREAD_COUNTS = 4  # tried for an engine: all cores, half of them, and so on


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def resolve(config: TrainConfig, experiment: Experiment) -> TrainConfig:
    """Replace every "auto" by a choice.

    A network that is not small goes to a GPU where there is one. A long run on a CPU gets the engine and thread
    count that train the experiment fastest on this machine as it is now, a short one what is soonest started.
    """
    sizes = config.sizes(experiment.train.pixels.shape[1], CLASSES)
    operations = step_operations(sizes, min(config.batch_size, config.train_points))
    small = operations < SMALL_STEP
    if config.device == "auto":
        wants_gpu = config.engine == "torch" or (config.engine == "auto" and not small)
        config = replace(config, device="cuda" if wants_gpu and has_gpu() else "cpu")
    if config.device != "cpu":
        return replace(config, engine="torch", threads=config.threads or 1)
    if config.engine != "auto" and config.threads:
        return config
    if config.steps * max(operations / OPERATIONS_A_SECOND, CALLS_SECONDS) < LONG_RUN_SECONDS:
        engine = soonest() if config.engine == "auto" else config.engine
        threads = config.threads or (1 if small else available_cores())
        return replace(config, engine=engine, threads=threads)
    return fastest(candidates(config, small), lambda candidate: steps_per_second(candidate, experiment))


def soonest() -> str:
    """Return the engine that is soonest started of those that are installed, and where none is, torch's."""
    return "compiled" if _is_installed("numba") else "torch"


def has_gpu() -> bool:
    """Tell whether PyTorch is installed and finds a CUDA device."""
    if not _is_installed("torch"):
        return False
    spin_briefly()
    import torch

    return bool(torch.cuda.is_available())


def candidates(config: TrainConfig, small: bool = False) -> list[TrainConfig]:
    """Return the configurations that are worth a trial on a CPU; PyTorch's calls cost a small step too much."""
    engines = [config.engine]
    if config.engine == "auto":
        needs = {"compiled": "numba", "torch": "torch"}
        engines = [engine for engine, package in needs.items() if _is_installed(package)] or ["torch"]
        engines = engines[:1] if small else engines
    halvings = [available_cores() >> halving for halving in range(THREAD_COUNTS)]
    counts = [config.threads] if config.threads else [count for count in halvings if count]
    return [replace(config, engine=engine, threads=count) for engine in engines for count in counts]


def fastest(configs: Sequence[TrainConfig], steps_per_second: Callable[[TrainConfig], float]) -> TrainConfig:
    """Return the configuration with the highest rate."""
    return max(configs, key=steps_per_second)


def steps_per_second(config: TrainConfig, experiment: Experiment) -> float:
    """Measure the steps a second of a resolved configuration for a moment."""
    training = Training(config, experiment)
    training.advance(1)
    started, first = time.perf_counter(), training.step
    while (elapsed := time.perf_counter() - started) < TRIAL_SECONDS:
        training.advance(config.steps)
    return (training.step - first) / elapsed


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
