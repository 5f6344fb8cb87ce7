"""Two seeds at once, a thread each, beside one seed alone: how many times as many steps a second.

    python benchmarks/seeds.py [--steps 20000] [--rounds 3] [--data-dir FOLDER]

Whole commands, `grokscope train --threads 1` and `grokscope train --threads 1 --seeds 0-1`, in turn. Each runs
twice a round, to a quarter of the steps and to all of them: the difference is free of the start-up. Beside it what
the machine itself gives: two processes beside one, that multiply matrices within a core's own caches, and that add
arrays as large as a step's weights, moments and gradients, which pass through what the cores share.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

IN_CACHE = 60  # side of matrices, 29 kB each; too small for BLAS to share among threads
PARAMETERS = 199_210  # of the paper's network


def multiply(seconds: float) -> float:
    """Return products a second of matrices that stay in the innermost cache."""
    one, other = np.random.default_rng(0).random((2, IN_CACHE, IN_CACHE))
    return rate(lambda: np.dot(one, other), seconds)


def stream(seconds: float) -> float:
    """Return sums a second of two arrays, each of two numbers a parameter."""
    total, other = np.random.default_rng(0).random((2, 2 * PARAMETERS))
    return rate(lambda: np.add(total, other, out=total), seconds)


def rate(work: Callable[[], object], seconds: float) -> float:
    """Return how often a second it can be done."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(100):
            work()
        count += 100
    return count / (time.perf_counter() - started)


def two_beside_one(work: Callable[[float], float]) -> float:
    """Return what two processes do together, as a multiple of what one does alone."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, [0.5, 0.5]))  # starts both
        alone = pool.submit(work, 4.0).result()
        return sum(pool.map(work, [4.0, 4.0])) / alone


def training_seconds(steps: int, options: list[str], folder: Path) -> float:
    """Return how long a training to this step takes, start-up and checkpoints included."""
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(folder / "run.h5"), "--overwrite"]
    command += ["--steps", str(steps), "--threads", "1", "--checkpoints-per-decade", "4", *options]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def steps_per_second(steps: int, seeds: int, options: list[str], folder: Path) -> float:
    """Return the steps of all seeds a second, between a quarter of the steps and all of them."""
    if seeds > 1:
        options = [*options, "--seeds", f"0-{seeds - 1}"]
    short, long = (training_seconds(count, options, folder) for count in (steps // 4, steps))
    return seeds * (steps - steps // 4) / (long - short)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", help="folder with MNIST; without it, scikit-learn's digits are the images")
    arguments = parser.parse_args()
    images = ["--data-dir", arguments.data_dir] if arguments.data_dir else ["--dataset", "digits"]
    ratios = []
    for number in range(arguments.rounds):
        machine = f"products {two_beside_one(multiply):.2f}, sums {two_beside_one(stream):.2f}"
        with tempfile.TemporaryDirectory() as folder:
            one, two = (steps_per_second(arguments.steps, seeds, images, Path(folder)) for seeds in (1, 2))
        ratios.append(two / one)
        told = f"one seed {one:.0f} steps/s, two at once {two:.0f}, {two / one:.2f} times; the machine: {machine}"
        print(f"round {number + 1}: {told}", flush=True)
    print(f"median {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
