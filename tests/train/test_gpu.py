"""The GPU trains as the CPU does; these tests run where there is a CUDA device."""

from __future__ import annotations

import pytest
import torch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.training import Training

from tests.train.conftest import changed, relative_difference

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def trained(config: TrainConfig, experiment: Experiment, steps: int, limit: int) -> Training:
    """Train for a number of steps, at most `limit` of them in one call."""
    training = Training(config, experiment)
    while training.step < steps:
        training.advance(min(steps, training.step + limit))
    return training


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("limit", [1, 1000], ids=["step by step", "graphs of whole epochs"])
def test_a_hundred_steps_equal_the_cpus(
    small_config: TrainConfig, digits: Experiment, optimizer: str, loss: str, limit: int
) -> None:
    config = changed(small_config, optimizer=optimizer, loss=loss, weight_decay=0.01)
    cpu = trained(config, digits, 100, 1).parameters()
    gpu = trained(changed(config, engine="torch", device="cuda"), digits, 100, limit).parameters()
    for ours, theirs in zip([*gpu.weights, *gpu.biases], [*cpu.weights, *cpu.biases], strict=True):
        assert relative_difference(ours, theirs) < 1e-9


def test_capturing_the_graph_leaves_the_state_as_it_was(small_config: TrainConfig, digits: Experiment) -> None:
    gpu = Training(changed(small_config, engine="torch", device="cuda"), digits).state()
    cpu = Training(small_config, digits).state()
    for name, array in cpu.items():
        assert gpu[name].tobytes() == array.tobytes(), name
