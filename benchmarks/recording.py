"""What recording costs of training: a checkpoint of the paper's experiment, in milliseconds and in training steps.

    python benchmarks/recording.py [--engine compiled] [--threads 2] [--checkpoints 20] [--data-dir FOLDER]

Steps and checkpoints are measured in turn, in one process. A checkpoint is evaluated (on the training images,
ten thousand test images and masked networks), committed to a run file in a temporary folder and synced to
disk. Their medians give the share of recording in a run of N steps at 20 checkpoints a decade. Without --data-
dir the images are random, as many and as sparse as MNIST's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from grokscope_train.choose import available_cores
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, Images, load_experiment
from grokscope_train.run import create_file
from grokscope_train.training import Training

from grokscope.runfile import RunWriter, log_steps

TRAIN, TEST, PIXELS, ZEROS = 1000, 10_000, 784, 0.8
STEPS_BETWEEN = 200
PER_DECADE = 20
LENGTHS = (10**5, 10**6, 10**7)


def random_experiment() -> Experiment:
    """Return random images as many and as sparse as MNIST's."""
    generator = np.random.default_rng(0)

    def images(count: int) -> Images:
        pixels = generator.random((count, PIXELS)) * (generator.random((count, PIXELS)) > ZEROS)
        return Images(pixels, generator.integers(0, 10, count))

    return Experiment(images(TRAIN), images(TEST), np.arange(TRAIN))


def measure(training: Training, writer: RunWriter, checkpoints: int) -> dict[str, float]:
    """Return the median seconds of a step, of evaluating a checkpoint, its optimizer part, and of a commit."""
    seconds: dict[str, list[float]] = {"step": [], "evaluate": [], "optimizer": [], "commit": []}
    for index in range(checkpoints):
        before, started = training.step, time.perf_counter()
        while training.step < before + STEPS_BETWEEN:
            training.advance(before + STEPS_BETWEEN)
        trained = time.perf_counter()
        checkpoint = training.checkpoint()
        evaluated = time.perf_counter()
        training.optimizer_metrics(training.parameters())
        asked = time.perf_counter()
        writer.commit(index, checkpoint.weights, checkpoint.biases, checkpoint.metrics, checkpoint.predictions)
        seconds["step"].append((trained - started) / STEPS_BETWEEN)
        seconds["evaluate"].append(evaluated - trained)
        seconds["optimizer"].append(asked - evaluated)
        seconds["commit"].append(time.perf_counter() - asked)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("compiled", "torch"), default="compiled")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST, in torchvision's layout")
    options = parser.parse_args()
    config = TrainConfig(
        engine=options.engine,
        device="cpu",
        threads=options.threads,
        steps=options.checkpoints,
        checkpoints_per_decade=10**6,  # room for a checkpoint at every step
    )
    experiment = load_experiment(config, options.data_dir) if options.data_dir else random_experiment()
    training = Training(config, experiment)
    with (
        tempfile.TemporaryDirectory() as folder,
        create_file(Path(folder) / "run.h5", training, experiment, options.data_dir, overwrite=False) as writer,
    ):
        seconds = measure(training, writer, options.checkpoints)
    checkpoint = seconds["evaluate"] + seconds["commit"]
    print(f"engine {options.engine}, {options.threads} threads: {1 / seconds['step']:.0f} steps/s")
    evaluate, optimizer, commit = (1e3 * seconds[name] for name in ("evaluate", "optimizer", "commit"))
    print(f"evaluate {evaluate:.1f} ms ({optimizer:.1f} of it what the optimizer does), commit {commit:.1f} ms")
    print(f"together as long as {checkpoint / seconds['step']:.0f} steps")
    for length in LENGTHS:
        count = len(log_steps(length, PER_DECADE))
        whole = count * checkpoint + length * seconds["step"]
        shares = [100 * count * part / whole for part in (checkpoint, seconds["optimizer"])]
        print(
            f"{length:10,} steps, {count} checkpoints: recording takes {shares[0]:.2f} % of the time, "
            f"what the optimizer does {shares[1]:.2f} %"
        )


if __name__ == "__main__":
    main()
