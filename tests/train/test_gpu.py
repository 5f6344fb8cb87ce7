"""The GPU trains as the CPU does; these tests run where there is a CUDA device."""

from __future__ import annotations

import pytest
import torch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, load_experiment
from grokscope_train.training import EnsembleTraining, Training

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


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_a_stack_of_seeds_equals_the_cpus_with_graphs_of_whole_epochs(
    small_config: TrainConfig, loss: str, weight_decay: float
) -> None:
    config = changed(small_config, loss=loss, weight_decay=weight_decay)
    experiments = [load_experiment("digits", config.train_points, seed) for seed in range(3)]
    configs = [changed(config, engine="torch", device="cuda", seed=seed) for seed in range(3)]
    stack = EnsembleTraining(configs, experiments)
    while stack.step < 100:
        stack.advance(100)
    for seed, (network, experiment) in enumerate(zip(stack.networks, experiments, strict=True)):
        cpu, gpu = trained(changed(config, seed=seed), experiment, 100, 1).parameters(), network.parameters()
        for ours, theirs in zip([*gpu.weights, *gpu.biases], [*cpu.weights, *cpu.biases], strict=True):
            assert relative_difference(ours, theirs) < 1e-9
