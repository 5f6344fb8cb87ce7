"""What the optimizer does at a checkpoint, against PyTorch's autograd and its optimizers' own state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grokscope_train.config import ACTIVATIONS, LOSSES, TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.training import Training

from tests.train.conftest import changed
from tests.train.plain_pytorch import train_module

STEPS = 40


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_moments_steps_and_the_largest_loss_are_pytorchs(
    small_config: TrainConfig, digits: Experiment, engine: str, optimizer: str
) -> None:
    # an eps among the roots of the second moments, so that some are below it
    config = changed(small_config, engine=engine, optimizer=optimizer, weight_decay=0.1, eps=1e-2)
    training = Training(config, digits)
    initial = training.parameters()
    while training.step < STEPS:
        training.advance(STEPS)
    ours = training.checkpoint().metrics
    _, theirs, losses = train_module(config, digits, initial, STEPS)
    assert ours["largest_batch_loss"] == pytest.approx(max(losses), rel=1e-12)
    seen = digits.train.pixels.any(axis=0)
    below, count, step_square, square = 0, 0, 0.0, 0.0
    states = list(theirs.state.items())
    for layer in range(3):
        roots, updates = [], []
        for parameter, state in states[2 * layer : 2 * layer + 2]:
            first, second, values = (
                x.detach().numpy() for x in (state["exp_avg"], state["exp_avg_sq"], parameter)
            )
            if layer == 0 and values.ndim == 2 and optimizer == "adamw":
                first, second, values = first[:, seen], second[:, seen], values[:, seen]
            root = np.sqrt(second / (1 - config.beta2**STEPS)).ravel()
            update = first.ravel() / (1 - config.beta1**STEPS) / (root + config.eps)
            roots.append(root)
            updates.append(update)
            moved = update + (0.1 * values.ravel() if optimizer == "adamw" else 0)
            step_square += np.sum((config.lr * moved) ** 2)
            square += np.sum(values**2)
        root, update = np.concatenate(roots), np.concatenate(updates)
        below, count = below + np.sum(root < config.eps), count + len(root)
        for q, name in ((0.05, "q05"), (0.5, "q50"), (0.95, "q95")):
            wanted = np.quantile(root, q), np.quantile(np.abs(update), q)
            found = ours[f"root_second_moment_{name}_fc{layer + 1}"], ours[f"relative_update_{name}_fc{layer + 1}"]
            assert found == pytest.approx(wanted, rel=1e-9)
    assert ours["below_eps_share"] == below / count
    assert 0.02 < ours["below_eps_share"] < 0.98
    assert ours["step_norm_ratio"] == pytest.approx(np.sqrt(step_square / square), rel=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_norms_are_autograds(
    small_config: TrainConfig, digits: Experiment, activation: str, loss: str
) -> None:
    config = changed(small_config, activation=activation, loss=loss)
    training = Training(config, digits)
    metrics = training.checkpoint().metrics
    module, _, _ = train_module(config, digits, training.parameters(), 0)
    criterion = torch.nn.MSELoss() if loss == "mse" else torch.nn.CrossEntropyLoss()
    criterion(module(torch.from_numpy(digits.train.pixels)), torch.from_numpy(digits.train.one_hot())).backward()
    for layer, linear in enumerate(part for part in module if isinstance(part, torch.nn.Linear)):
        squares = sum(float((p.grad**2).sum()) for p in linear.parameters() if p.grad is not None)
        assert metrics[f"gradient_norm_fc{layer + 1}"] == pytest.approx(np.sqrt(squares), rel=1e-10)


def test_before_the_first_step_nothing_is_known_of_moments_and_losses(
    small_config: TrainConfig, digits: Experiment
) -> None:
    training = Training(small_config, digits)
    metrics = training.checkpoint().metrics
    unknown = {name for name, value in metrics.items() if np.isnan(value)}
    assert unknown >= {"largest_batch_loss", "step_norm_ratio", "below_eps_share", "relative_update_q50_fc1"}
    assert set(metrics) == set(training.metrics)


def test_the_largest_loss_is_that_since_the_last_checkpoint(small_config: TrainConfig, digits: Experiment) -> None:
    training = Training(small_config, digits)
    _, _, losses = train_module(small_config, digits, training.parameters(), 30)
    while training.step < 20:
        training.advance(20)
    training.forget_largest_loss()
    again = Training(small_config, digits)
    again.load_state(training.step, training.state())
    for one in (training, again):
        while one.step < 30:
            one.advance(30)
        assert one.checkpoint().metrics["largest_batch_loss"] == pytest.approx(max(losses[20:]), rel=1e-12)
