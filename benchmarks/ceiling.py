"""How well a fall of test accuracy could be told at all: its labels against other test images, and smoothed.

    python benchmarks/ceiling.py FOLDER/strain/*.h5 [--splits 20] [--decay 0.003]

For runs of `benchmarks/collapse.py`. Test images are parted by a coin: one half labels the checkpoints, as
`grokscope evaluate` does with all of them, and the fall of accuracy on the other half scores them. No measure of
weights can be expected to tell more of such labels than accuracy itself does: its AUROC is a ceiling. Then it says
how many collapsed checkpoints of runs with that decay are collapsed as well when the curve is smoothed, by the
median over five checkpoints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from grokscope_train.config import TrainConfig
from grokscope_train.data import load_experiment
from numpy.typing import NDArray

from grokscope.report.detectors import COLLAPSED, Reading
from grokscope.report.evaluate import DetectorScore, ScoredRun, evaluate, scored_run
from grokscope.runfile import Run

Array = NDArray[np.float64]


def right(run: Run) -> NDArray[np.bool_]:
    """Tell which test images every checkpoint classifies rightly, bool [n, images]."""
    test = load_experiment(TrainConfig.of_run(run.config)).test
    answers = []
    for index in range(run.num_checkpoints):
        outputs = test.pixels
        for layer in run.layers:
            inputs = np.maximum(outputs, 0)  # pixels are not below 0
            outputs = inputs @ run.weight(index, layer.name).T + run.bias(index, layer.name)
        answers.append(outputs.argmax(axis=1) == test.labels)
    return np.array(answers)


def fallen(accuracy: Array) -> Array:
    """Return how far a curve is below its highest point so far."""
    return np.maximum.accumulate(accuracy) - accuracy


def halves(run: Run, answers: NDArray[np.bool_], generator: np.random.Generator) -> ScoredRun:
    """Label a run by half of the test images, and score it by the other half."""
    one, other = np.array_split(generator.permutation(answers.shape[1]), 2)
    score = Reading(fallen(answers[:, other].mean(axis=1)))
    train, test = run.metrics()["train_accuracy"], answers[:, one].mean(axis=1)
    return scored_run(run.name, run.steps, train, test, {"other half": score})


def smoothed(values: Array) -> Array:
    """Return the median over five values, fewer at the ends."""
    return np.array([np.median(values[max(place - 2, 0) : place + 3]) for place in range(len(values))])


def collapsed(run: Run, smooth: bool) -> NDArray[np.bool_]:
    """Tell which checkpoints are observed to have collapsed, bool [n], of a curve as it is or smoothed."""
    metrics = run.metrics()
    test = smoothed(metrics["test_accuracy"]) if smooth else metrics["test_accuracy"]
    return scored_run(run.name, run.steps, metrics["train_accuracy"], test, {}).are(COLLAPSED)


def main() -> None:
    """Print the ceiling, pooled and at matched steps, and what is left of the collapsed checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--decay", type=float, default=0.003)
    options = parser.parse_args()
    runs = [Run.open(path) for path in options.runs if ".spectra" not in path.name]
    answers, generator = [right(run) for run in runs], np.random.default_rng(0)
    scores: list[DetectorScore] = []
    for _ in range(options.splits):
        split = [halves(run, of, generator) for run, of in zip(runs, answers, strict=True)]
        scores += evaluate(split, draws=1)
    pooled, matched = (np.array([getattr(score, name) for score in scores]) for name in ("auroc", "matched"))
    print(
        f"{len(runs)} runs, {options.splits} splits of {answers[0].shape[1]} test images; AUROC of the other half:"
    )
    print(f"{pooled.mean():.3f} ± {pooled.std():.3f}, at matched steps {matched.mean():.3f} ± {matched.std():.3f}")
    mild = [run for run in runs if run.config["weight_decay"] == options.decay]
    as_it_is, smooth = ([collapsed(run, how) for run in mild] for how in (False, True))
    found = sum(int(one.sum()) for one in as_it_is)
    both = sum(int((one & other).sum()) for one, other in zip(as_it_is, smooth, strict=True))
    print(f"decay {options.decay:g}: {found} collapsed checkpoints, {both} of them when smoothed")


if __name__ == "__main__":
    main()
