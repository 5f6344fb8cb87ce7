"""The GPU trains as the CPU does; these tests run where there is a CUDA device."""

from __future__ import annotations

import pytest
import torch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, load_experiment
from grokscope_train.trained_network import TrainedNetwork
from grokscope_train.training import EnsembleTraining, Training

from tests.train.conftest import changed, relative_difference

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    # step by step the numbers are the same: a graph that is not there has to be noticed by its warning
    pytest.mark.filterwarnings("error:no CUDA graph", "error:The CUDA Graph is empty"),
]


def trained(config: TrainConfig, experiment: Experiment, steps: int, limit: int) -> Training:
    """Train for a number of steps, at most `limit` of them in one call."""
    training = Training(config, experiment)
    while training.step < steps:
        training.advance(min(steps, training.step + limit))
    return training


def gpu_config(config: TrainConfig) -> TrainConfig:
    """The same experiment on a GPU."""
    return changed(config, engine="torch", device="cuda")


def on_gpu(config: TrainConfig, experiment: Experiment, steps: int, limit: int = 1000) -> Training:
    """Train for a number of steps on a GPU."""
    return trained(gpu_config(config), experiment, steps, limit)


def assert_equal_parameters(gpu: TrainedNetwork, cpu: TrainedNetwork) -> None:
    """Every array of one equals the other's."""
    ours, theirs = gpu.parameters(), cpu.parameters()
    for a, b in zip([*ours.weights, *ours.biases], [*theirs.weights, *theirs.biases], strict=True):
        assert relative_difference(a, b) < 1e-9


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("limit", [1, 1000], ids=["step by step", "graphs of whole epochs"])
def test_a_hundred_steps_equal_the_cpus(
    small_config: TrainConfig, digits: Experiment, optimizer: str, loss: str, limit: int
) -> None:
    config = changed(small_config, optimizer=optimizer, loss=loss, weight_decay=0.01)
    assert_equal_parameters(on_gpu(config, digits, 100, limit), trained(config, digits, 100, 1))


@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_a_hundred_steps_of_a_wide_network_equal_the_cpus(
    small_config: TrainConfig, digits: Experiment, optimizer: str
) -> None:
    """Wide enough that the optimizer's kernel gets the parameters in several pieces."""
    config = changed(small_config, width=200, optimizer=optimizer)
    assert_equal_parameters(on_gpu(config, digits, 100), trained(config, digits, 100, 1))


def test_a_checkpoint_measures_what_the_cpu_measures(small_config: TrainConfig, digits: Experiment) -> None:
    ours = on_gpu(small_config, digits, 50).checkpoint()
    theirs = trained(small_config, digits, 50, 1).checkpoint()
    assert ours.predictions.tolist() == theirs.predictions.tolist()
    assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-6)


def test_a_run_saved_within_an_epoch_goes_on_to_the_same_bytes(
    small_config: TrainConfig, digits: Experiment
) -> None:
    whole, first = on_gpu(small_config, digits, 100), on_gpu(small_config, digits, 51)
    resumed = Training(gpu_config(small_config), digits)
    resumed.load_state(51, first.state())
    while resumed.step < 100:
        resumed.advance(100)
    for name, array in whole.state().items():
        assert resumed.state()[name].tobytes() == array.tobytes(), name


def test_a_capture_that_fails_leaves_the_state_as_it_was(
    small_config: TrainConfig, digits: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("refused for the test")

    current = torch.cuda.current_stream()
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    with pytest.warns(RuntimeWarning, match="no CUDA graph"):
        gpu = Training(gpu_config(small_config), digits)
    assert torch.cuda.current_stream() == current
    for name, array in Training(small_config, digits).state().items():
        assert gpu.state()[name].tobytes() == array.tobytes(), name


def test_capturing_the_graph_leaves_the_state_as_it_was(small_config: TrainConfig, digits: Experiment) -> None:
    gpu = Training(gpu_config(small_config), digits).state()
    cpu = Training(small_config, digits).state()
    for name, array in cpu.items():
        assert gpu[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_a_stack_of_seeds_equals_the_cpus_with_graphs_of_whole_epochs(
    small_config: TrainConfig, loss: str, weight_decay: float
) -> None:
    config = changed(small_config, loss=loss, weight_decay=weight_decay)
    configs = [gpu_config(changed(config, seed=seed)) for seed in range(3)]
    experiments = [load_experiment(seeded) for seeded in configs]
    stack = EnsembleTraining(configs, experiments)
    while stack.step < 100:
        stack.advance(100)
    for seed, (network, experiment) in enumerate(zip(stack.networks, experiments, strict=True)):
        assert_equal_parameters(network, trained(changed(config, seed=seed), experiment, 100, 1))
