"""What many seeds cost as one batched computation, on a GPU where there is one: time of ten seeds / time of one.

    python benchmarks/ensemble.py [--seeds 10] [--dtype float64] [--device cuda] [--seconds 2.0] [--rounds 5]

One seed is trained as `grokscope train` trains it and all of them as `grokscope train --seeds 0-9 --batched` does,
in turn, round after round, so that whatever else the machine does meets both alike; medians over the rounds. The
network is the paper's; the images are random with as many black pixels as MNIST's: speed depends on nothing else
of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time

import numpy as np
from grokscope_train.engines import spin_briefly

spin_briefly()

import torch  # noqa: E402  (after the threads' waiting has been set)
from grokscope_train.choose import available_cores  # noqa: E402
from grokscope_train.config import TrainConfig  # noqa: E402
from grokscope_train.data import CLASSES, Experiment, Images  # noqa: E402
from grokscope_train.training import EnsembleTraining, Training  # noqa: E402

PIXELS, IMAGES = 784, 1000
BLACK, BLACK_IN_ALL = 178, 113  # of MNIST: in a seed's 1,000 images, the mean of seeds 0-9; in all ten seeds'
LIMIT = 10**9  # a step that no round reaches


def experiment(seed: int) -> Experiment:
    """Return random images; the seeds differ in some of their black pixels, as draws from MNIST do."""
    generator = np.random.default_rng(seed)
    pixels = generator.random((IMAGES, PIXELS))
    pixels[:, :BLACK_IN_ALL] = 0.0
    pixels[:, BLACK_IN_ALL + generator.permutation(PIXELS - BLACK_IN_ALL)[: BLACK - BLACK_IN_ALL]] = 0.0
    images = Images(pixels, generator.integers(0, CLASSES, IMAGES))
    return Experiment(images, images.take(np.arange(CLASSES)), np.arange(IMAGES))


def steps_per_second(training: Training | EnsembleTraining, device: str, seconds: float) -> float:
    """Train for some seconds and count; what was only launched on a GPU is waited for."""
    first, started = training.step, time.perf_counter()
    while time.perf_counter() - started < seconds:
        training.advance(LIMIT)  # on a GPU it is only launched, until the queue is full
    if device != "cpu":
        torch.cuda.synchronize(device)
    return (training.step - first) / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    config = TrainConfig(
        dtype=options.dtype, device=options.device, engine="torch", threads=options.threads, steps=LIMIT
    )
    configs = [dataclasses.replace(config, seed=seed) for seed in range(options.seeds)]
    experiments = [experiment(seed) for seed in range(options.seeds)]
    trainings = [Training(config, experiments[0]), EnsembleTraining(configs, experiments)]
    measured: list[list[float]] = [[], []]
    for _ in range(options.rounds + 1):  # the first round warms up
        for training, rates in zip(trainings, measured, strict=True):
            rates.append(steps_per_second(training, options.device, options.seconds))
    one, many = (statistics.median(rates[1:]) for rates in measured)
    name = torch.cuda.get_device_name(options.device) if options.device != "cpu" else "CPU"
    print(f"{options.dtype}, {name}, {options.threads} threads")
    print(f"one seed   {one:7.0f} steps/s")
    print(f"{options.seeds} seeds   {many:7.0f} steps/s   {options.seeds * many:.0f} seed-steps/s")
    print(f"time of {options.seeds} seeds / time of one   {one / many:.2f}")


if __name__ == "__main__":
    main()
