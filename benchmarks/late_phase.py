"""What a compiled training step costs along a real trajectory: late in it few units are lit, and summed over.

    python benchmarks/late_phase.py sample_runs/mnist-wd0.h5 --data-dir FOLDER

Goes on from the weights of several checkpoints with moments of zero, on one thread, and prints processor time: the
least of several rounds, which other programs on the machine disturb least.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from grokscope_train.config import TrainConfig
from grokscope_train.data import load_experiment
from grokscope_train.network import Parameters
from grokscope_train.recorded import train_indices
from grokscope_train.training import Training

from grokscope.runfile import Run

STEPS, ROUNDS = 150, 5
PLACES = (10_000, 100_000, 630_957, 1_000_000, 1_584_893, 3_162_278)


def milliseconds(training: Training, run: Run, index: int) -> float:
    """Return the processor time of a step from a checkpoint on."""
    weights = [run.weight(index, layer.name).astype(float) for layer in run.layers]
    biases = [run.bias(index, layer.name).astype(float) for layer in run.layers]
    zeros = Parameters([0 * weight for weight in weights], [0 * bias for bias in biases])
    training.put_parameters(Parameters(weights, biases), zeros, zeros)
    training.seek(int(run.steps[index]))
    best = np.inf
    for _ in range(ROUNDS):
        before, started = training.step, time.process_time()
        training.advance(before + STEPS)
        best = min(best, (time.process_time() - started) / (training.step - before))
    return 1e3 * best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", type=Path, help="folder with the run's dataset, in torchvision's layout")
    options = parser.parse_args()
    run = Run.open(options.run)
    known = {name: run.config[name] for name in ("dataset", "train_points", "seed", "width", "batch_size")}
    config = TrainConfig(**known, engine="compiled", threads=1, device="cpu")
    images = load_experiment(
        config.dataset, config.train_points, config.seed, options.data_dir, train_indices(run)
    )
    training = Training(config, images)
    first = None
    sparsity = run.metrics()["activation_sparsity_1e-6"]
    for place in PLACES:
        index = int(np.argmin(np.abs(run.steps - place)))
        cost = milliseconds(training, run, index)
        first = first or cost
        print(
            f"step {run.steps[index]:>9,}  {sparsity[index]:6.1%} at rest  {cost:.2f} ms, "
            f"{cost / first:.2f} of the first"
        )


if __name__ == "__main__":
    main()
