"""A small experiment on the digits, light enough to be started hundreds of times."""

from __future__ import annotations

import dataclasses
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, load_experiment

SMALL = TrainConfig(
    dataset="digits", train_points=100, batch_size=40, width=12, steps=300, checkpoints_per_decade=50,
    engine="compiled", device="cpu", threads=1, init_scale=2.0, lr=1e-3,
)  # fmt: skip


@pytest.fixture
def small_config() -> TrainConfig:
    """A 64-12-12-10 network on 100 digits; the last batch of an epoch is smaller than the others."""
    return SMALL


@pytest.fixture
def undone() -> Iterator[None]:
    """Take back what a way for a training loop to go wrong changes in this process."""
    import torch

    limits, folder = resource.getrlimit(resource.RLIMIT_FSIZE), Path.cwd()
    stderr, handler, gradients = sys.stderr, signal.getsignal(signal.SIGUSR1), torch.is_grad_enabled()
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    os.chdir(folder)
    sys.stderr = stderr
    signal.signal(signal.SIGUSR1, handler)
    torch.set_grad_enabled(gradients)


@pytest.fixture(scope="session")
def digits() -> Experiment:
    """The data of `small_config`."""
    return load_experiment(SMALL)


def changed(config: TrainConfig, **fields: Any) -> TrainConfig:
    """Return a configuration with other values."""
    return dataclasses.replace(config, **fields)


def relative_difference(ours: Any, theirs: Any) -> float:
    """Largest difference of two arrays, relative to the largest entry."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return float(np.max(np.abs(ours - theirs)) / max(np.max(np.abs(theirs)), 1e-300))
