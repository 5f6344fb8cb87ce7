"""The same training as a plain PyTorch loop: Sequential, autograd, torch.optim."""

from __future__ import annotations

import torch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.network import Parameters
from grokscope_train.order import epoch_order

ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "gelu": torch.nn.GELU, "sigmoid": torch.nn.Sigmoid}


def module_of(parameters: Parameters, activation: str) -> torch.nn.Sequential:
    """Build a float64 module with the given weights and biases."""
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(parameters.weights, parameters.biases, strict=True):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        linear.weight.data.copy_(torch.from_numpy(weight))
        linear.bias.data.copy_(torch.from_numpy(bias))
        layers += [linear, ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers[:-1])


def parameters_of(module: torch.nn.Sequential) -> Parameters:
    """Return a module's weights and biases."""
    linears = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    return Parameters(
        [linear.weight.detach().numpy().copy() for linear in linears],
        [linear.bias.detach().numpy().copy() for linear in linears],
    )


def make_optimizer(config: TrainConfig, module: torch.nn.Module) -> torch.optim.Optimizer:
    """Return PyTorch's own optimizer for a configuration."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(module.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(
        module.parameters(),
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        weight_decay=config.weight_decay,
    )


def train_plainly(
    config: TrainConfig, experiment: Experiment, initial: Parameters, steps: int
) -> tuple[Parameters, float]:
    """Train for a number of steps; return the parameters and the last step's loss."""
    module, _, losses = train_module(config, experiment, initial, steps)
    return parameters_of(module), losses[-1] if losses else 0.0


def train_module(
    config: TrainConfig, experiment: Experiment, initial: Parameters, steps: int
) -> tuple[torch.nn.Sequential, torch.optim.Optimizer, list[float]]:
    """Train for a number of steps; return the module, its optimizer and the loss of every batch."""
    module = module_of(initial, config.activation)
    optimizer = make_optimizer(config, module)
    criterion = torch.nn.MSELoss() if config.loss == "mse" else torch.nn.CrossEntropyLoss()
    pixels, targets = torch.from_numpy(experiment.train.pixels), torch.from_numpy(experiment.train.one_hot())
    batch = min(config.batch_size, len(pixels))
    per_epoch = -(-len(pixels) // batch)
    losses = []
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        order = torch.from_numpy(epoch_order(config.seed, epoch, len(pixels)))
        rows = order[place * batch : (place + 1) * batch]
        optimizer.zero_grad()
        loss = criterion(module(pixels[rows]), targets[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return module, optimizer, losses
