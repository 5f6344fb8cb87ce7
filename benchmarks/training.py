"""Steps a second of the paper's experiment: the published style, the best plain PyTorch loop, ours, and the bound.

    python benchmarks/training.py [--threads 2] [--dtype float64] [--seconds 1.0] [--rounds 5]

All four are measured in turn, round after round, in one process, so that whatever else the machine does meets them
alike; the medians over the rounds and the ratios are printed. The bound is the rate at which PyTorch's BLAS
multiplies the step's largest product, its operands in the caches, applied to all of the step's products. The
images are random with MNIST's black pixels: speed depends on nothing else of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from grokscope_train.engines import make_engine, spin_briefly

spin_briefly()

import torch  # noqa: E402  (after the threads' waiting has been set)
from grokscope_train.choose import available_cores, step_operations  # noqa: E402
from grokscope_train.config import TrainConfig  # noqa: E402
from grokscope_train.network import FlatLayout  # noqa: E402
from grokscope_train.order import epoch_order  # noqa: E402
from grokscope_train.step import TrainingStep  # noqa: E402

SIZES = (784, 200, 200, 10)
BLACK = 195  # pixels that are black in the reference run's 1,000 training images
IMAGES, BATCH = 1000, 200
Steps = Iterator[None]


def data(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images [1000, 784] and one-hot targets [1000, 10]."""
    generator = np.random.default_rng(0)
    images = generator.random((IMAGES, SIZES[0]))
    images[:, :BLACK] = 0.0
    targets = np.eye(SIZES[-1])[generator.integers(0, 10, IMAGES)]
    return torch.from_numpy(images).to(dtype), torch.from_numpy(targets).to(dtype)


def network(dtype: torch.dtype) -> torch.nn.Sequential:
    """Return the paper's network."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        layers += [torch.nn.Linear(inputs, outputs, dtype=dtype), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def published_style(dtype: torch.dtype) -> Steps:
    """DataLoader, autograd, AdamW: one step at every `next`."""
    model, criterion = network(dtype), torch.nn.MSELoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0)
    dataset = torch.utils.data.TensorDataset(*data(dtype))
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True)
    while True:
        for images, targets in loader:
            optimizer.zero_grad()
            criterion(model(images), targets).backward()
            optimizer.step()
            yield


def best_plain_loop(dtype: torch.dtype) -> Steps:
    """Tensors in memory, autograd, fused AdamW."""
    model, criterion = network(dtype), torch.nn.MSELoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0, fused=True)
    images, targets = data(dtype)
    while True:
        for rows in torch.randperm(IMAGES).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            criterion(model(images[rows]), targets[rows]).backward()
            optimizer.step()
            yield


def grokscope_step(dtype: torch.dtype, engine: str, threads: int) -> Steps:
    """The step of `grokscope train`, with its shuffling."""
    config = TrainConfig()
    images, targets = (tensor.double().numpy() for tensor in data(dtype))
    layout = FlatLayout((SIZES[0] - BLACK, *SIZES[1:]))
    step = TrainingStep(
        make_engine(engine, str(dtype).removeprefix("torch."), "cpu", threads),
        layout,
        images[:, BLACK:],
        targets,
        batch_size=BATCH,
        activation=config.activation,
        loss=config.loss,
        optimizer=config.optimizer,
        hyper=config.hyperparameters(),
    )
    step.flat[...] = step.engine.array(np.random.default_rng(0).normal(0, 0.05, layout.length))
    number = 0
    while True:
        if number % step.steps_per_epoch == 0:
            step.shuffle(epoch_order(0, number // step.steps_per_epoch, IMAGES))
        number += 1
        step.step(number)
        yield


def largest_product(dtype: torch.dtype) -> Steps:
    """The first layer's product, in place, its operands in the caches."""
    a, b = (torch.rand(BATCH, SIZES[0] - BLACK, dtype=dtype) for _ in range(2))
    out = torch.empty(BATCH, SIZES[1], dtype=dtype)
    while True:
        torch.mm(a, b.T, out=out)
        yield


def rate(steps: Steps, seconds: float) -> float:
    """Count how often a second an iterator can be advanced."""
    for _ in range(5):
        next(steps)
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        next(steps)
        done += 1
    return done / elapsed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--engine", choices=("torch", "numpy", "mixed"), default="torch")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    dtype = getattr(torch, options.dtype)
    torch.set_num_threads(options.threads)
    kept = (SIZES[0] - BLACK, *SIZES[1:])
    product = 2.0 * BATCH * kept[0] * kept[1]
    rows: dict[str, Callable[[], Steps]] = {
        "published style": lambda: published_style(dtype),
        "best plain loop": lambda: best_plain_loop(dtype),
        "grokscope train": lambda: grokscope_step(dtype, options.engine, options.threads),
        "bound": lambda: largest_product(dtype),
    }
    runs = {name: make() for name, make in rows.items()}
    measured: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(options.rounds):
        for name, steps in runs.items():
            torch.set_num_threads(
                1 if name == "grokscope train" and options.engine == "mixed" else options.threads
            )
            measured[name].append(rate(steps, options.seconds))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    gflops = medians["bound"] * product / 1e9
    medians["bound"] *= product / step_operations(kept, BATCH)
    print(f"{options.dtype}, {options.threads} threads, engine {options.engine}; products at {gflops:.0f} GFLOP/s")
    for name, value in medians.items():
        ours = medians["grokscope train"] / value
        print(f"{name:16}  {value:7.0f} steps/s   grokscope train is {ours:.2f} of it")


if __name__ == "__main__":
    main()
