"""Two seeds at once, a thread each, beside one seed alone: how many times as many steps a second.

    python benchmarks/seeds.py [--seconds 0.5] [--rounds 9] [--data-dir FOLDER] [--run sample_runs/mnist-wd0.h5]

Two processes hold a seed each. In turns one of them trains, both do, and the other does, so that whatever else the
machine does meets them alike; the medians over the rounds are printed. With --run both go on from that run's
weights at several checkpoints, with moments of zero, and from the rates there it is summed up how long 10⁷ steps
take of one seed and of two. Beside it what the machine itself gives: two processes that add arrays, which in all
fit into a core's own caches, or into what the cores share, or hardly.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy as np
from grokscope_train.config import TrainConfig
from grokscope_train.data import load_experiment
from grokscope_train.recorded import train_indices
from threadpoolctl import threadpool_limits
from training import IMAGES, Steps, grokscope_train, parameters_of, random_experiment, rate, seconds_to

from grokscope.runfile import Run

SIZES = (0.5, 3, 9, 12)  # MB that a process adds, of a second cache of 1 MB and a third of 32 MB here
CHECKPOINTS_APART = 3
END = 10**7


class Work(Protocol):
    """What a process is told to do."""

    def begin(self, seed: int) -> Steps:
        """Return an iterator that does some of it at every `next`, and says how much."""


@dataclass(frozen=True)
class Adding:
    """Sums of two arrays, of so many megabytes in all."""

    megabytes: float

    def begin(self, seed: int) -> Steps:
        """Count the sums."""
        total, other = np.random.default_rng(seed).random((2, int(self.megabytes * 1e6 / 16)))
        for _ in count():
            np.add(total, other, out=total)
            yield 1


@dataclass(frozen=True)
class Training:
    """Steps of the paper's experiment by one thread, from the beginning or from a run's checkpoint."""

    data_dir: Path | None
    run: Path | None = None
    index: int = 0

    def begin(self, seed: int) -> Steps:
        """Count the steps."""
        config = TrainConfig(
            train_points=IMAGES, seed=seed, device="cpu", engine="compiled", threads=1, steps=10**9
        )
        run = Run.open(self.run) if self.run else None
        experiment = random_experiment()
        if self.data_dir:
            experiment = load_experiment(config, self.data_dir, train_indices(run) if run else None)
        if run is None:
            return grokscope_train(experiment, config, None, 0)
        return grokscope_train(experiment, config, parameters_of(run, self.index), int(run.steps[self.index]))


def serve(connection: Connection, seed: int) -> None:
    """Answer in a process of its own: begin what comes as work, and go on with it for what comes as seconds."""
    steps: Steps = iter(())
    with threadpool_limits(1), contextlib.suppress(EOFError):
        while True:
            match connection.recv():
                case float(seconds):
                    connection.send(rate(steps, seconds, "cpu"))
                case work:
                    steps = work.begin(seed)
                    next(steps)
                    connection.send(None)


class Two:
    """Two processes, that work alone or at once."""

    def __init__(self) -> None:
        """Start both."""
        self._connections = []
        for seed in range(2):
            ours, theirs = get_context("spawn").Pipe()
            get_context("spawn").Process(target=serve, args=(theirs, seed), daemon=True).start()
            self._connections.append(ours)

    def rates(self, work: Work, seconds: float, rounds: int) -> tuple[float, float, float]:
        """Return how often a second it is done by one process and by two, and how many times as often.

        Medians over the rounds, of the ratios, too.
        """
        for connection in self._connections:  # one after the other: what is compiled is compiled once
            self._ask([connection], work)
        alone, both, ratios = [], [], []
        for number in range(rounds):
            first, last = self._connections if number % 2 else self._connections[::-1]
            before = sum(self._ask([first], seconds))
            both.append(sum(self._ask([first, last], seconds)))
            alone.append((before + sum(self._ask([last], seconds))) / 2)
            ratios.append(both[-1] / alone[-1])
        return statistics.median(alone), statistics.median(both), statistics.median(ratios)

    def _ask(self, connections: Sequence[Connection], request: Work | float) -> list[float]:
        for connection in connections:
            connection.send(request)
        return [connection.recv() for connection in connections]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST; without it the images are random")
    parser.add_argument("--run", type=Path, help="go on from checkpoints of this run; needs --data-dir")
    options = parser.parse_args()
    if options.run and not options.data_dir:
        parser.error("--run needs --data-dir")
    two, how = Two(), (options.seconds, options.rounds)
    for megabytes in SIZES:
        alone, both, ratio = two.rates(Adding(megabytes), *how)
        print(
            f"sums of {megabytes} MB: {alone:.0f} a second, two processes {both:.0f}, {ratio:.2f} times",
            flush=True,
        )
    indices, steps = [0], [0]
    if options.run:
        run = Run.open(options.run)
        indices = list(range(len(run.steps) - 1, 0, -CHECKPOINTS_APART))[::-1]
        steps = [int(run.steps[index]) for index in indices]
    paces = []
    for index, step in zip(indices, steps, strict=True):
        alone, both, ratio = two.rates(Training(options.data_dir, options.run, index), *how)
        print(
            f"from step {step:,}: one seed {alone:.0f} steps/s, two at once {both:.0f}, {ratio:.2f} times",
            flush=True,
        )
        paces.append((alone, alone * ratio))
    if options.run:
        one, at_once = (seconds_to(END, steps, rates) / 60 for rates in zip(*paces, strict=True))
        told = (
            f"of one seed {one:.0f} minutes, of two at once {2 * at_once:.0f}, {one / at_once:.2f} times the steps"
        )
        print(f"10⁷ steps at these rates: {told}")


if __name__ == "__main__":
    main()
