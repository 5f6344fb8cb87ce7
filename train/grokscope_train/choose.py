"""Device, engine and threads for a run that left them to us; what is chosen is recorded with the run."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from itertools import pairwise

from grokscope_train.config import TrainConfig

SMALL_STEP = 5e6  # floating-point operations; below, calling a library costs more than its threads save


def step_operations(sizes: tuple[int, ...], batch: int) -> float:
    """Floating-point operations of a training step's matrix products (NUMERICS: 2·3·products, less one)."""
    products = [inputs * outputs for inputs, outputs in pairwise(sizes)]
    return 2.0 * batch * (3 * sum(products) - products[0])


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def resolve(config: TrainConfig, sizes: tuple[int, ...]) -> TrainConfig:
    """Replace every "auto" by a choice.

    A small network trains fastest on one thread of NumPy, any other on PyTorch: on a GPU where there is one,
    else on all cores.
    """
    small = step_operations(sizes, min(config.batch_size, config.train_points)) < SMALL_STEP
    engine, device = config.engine, config.device
    if engine == "auto":
        cpu_only = device in ("auto", "cpu")
        has_torch = importlib.util.find_spec("torch") is not None
        engine = "numpy" if cpu_only and (small or not has_torch) else "torch"
    if device == "auto":
        device = _default_device() if engine == "torch" else "cpu"
    threads = config.threads or (1 if small or device != "cpu" else available_cores())
    return replace(config, engine=engine, device=device, threads=threads)


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
