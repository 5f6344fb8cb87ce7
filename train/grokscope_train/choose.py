"""Device, engine and threads for a run that left them to us; what is chosen is recorded with the run."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from grokscope_train.config import TrainConfig
from grokscope_train.engines import make_engine
from grokscope_train.network import FlatLayout
from grokscope_train.step import TrainingStep

SMALL_STEP = 5e6  # floating-point operations; below, calling a library costs more than its threads save
LONG_RUN = 1e12  # operations, some ten seconds of work; below, trying engines out is not worth its second
TRIAL_SECONDS = 0.2


def step_operations(sizes: tuple[int, ...], batch: int) -> float:
    """Floating-point operations of a training step's matrix products.

    Forward, gradient and backward cost the same; the input needs no backward.
    """
    products = [inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 2.0 * batch * (3 * sum(products) - products[0])


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def resolve(config: TrainConfig, sizes: tuple[int, ...]) -> TrainConfig:
    """Replace every "auto" by a choice.

    A small network trains fastest on one thread of NumPy. Any other goes to a GPU where there is one, else to
    the engine and thread count that take the experiment's own step fastest on this machine as it is now.
    """
    batch = min(config.batch_size, config.train_points)
    operations = step_operations(sizes, batch)
    has_torch = importlib.util.find_spec("torch") is not None
    if config.engine == "auto" and config.device in ("auto", "cpu") and (operations < SMALL_STEP or not has_torch):
        return replace(config, engine="numpy", device="cpu", threads=config.threads or 1)
    if config.device == "auto":
        config = replace(config, device="cpu" if config.engine in ("numpy", "mixed") else _default_device())
    if config.device != "cpu":
        return replace(config, engine="torch", threads=config.threads or 1)
    if config.engine != "auto" and config.threads:
        return config
    if operations * config.steps < LONG_RUN:
        engine = "torch" if config.engine == "auto" else config.engine
        return replace(config, engine=engine, threads=config.threads or available_cores())
    engine, threads = fastest(_candidates(config), lambda engine, threads: _trial(config, sizes, engine, threads))
    return replace(config, engine=engine, threads=threads)


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _candidates(config: TrainConfig) -> list[tuple[str, int]]:
    engines = ("torch", "mixed", "numpy") if config.engine == "auto" else (config.engine,)
    threads = (config.threads,) if config.threads else sorted({available_cores(), 1}, reverse=True)
    return [(engine, count) for engine in engines for count in threads]


def fastest(candidates: list[tuple[str, int]], steps_per_second: Callable[[str, int], float]) -> tuple[str, int]:
    """Return the candidate with the highest rate."""
    return max(candidates, key=lambda candidate: steps_per_second(*candidate))


def _trial(config: TrainConfig, sizes: tuple[int, ...], engine: str, threads: int) -> float:
    """Measure the steps a second of an engine on random images."""
    generator = np.random.default_rng(0)
    count = min(config.batch_size, config.train_points)
    layout = FlatLayout(sizes)
    step = TrainingStep(
        make_engine(engine, config.dtype, "cpu", threads),
        layout,
        generator.random((count, sizes[0])),
        generator.random((count, sizes[-1])),
        batch_size=count,
        activation=config.activation,
        loss=config.loss,
        optimizer=config.optimizer,
        hyper=config.hyperparameters(),
    )
    step.flat[...] = step.engine.array(generator.standard_normal(layout.length) * 0.05)
    for number in range(1, 4):
        step.step(number)
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < TRIAL_SECONDS:
        done += 1
        step.step(done + 3)
    return done / elapsed
