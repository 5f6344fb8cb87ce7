"""Omnigrok's experiment on MNIST, trained anew: its accuracies beside ours at the same steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grokscope.published import OMNIGROK, OMNIGROK_OPTIONS, OMNIGROK_TEST, OMNIGROK_TRAIN
from grokscope.verify.comparison import Comparison

TRAIN_TOLERANCE, TEST_TOLERANCE = 0.02, 0.06
"""Theirs is one run, with initial weights and an order of batches of its own."""

Tell = Callable[[int, int], None]


def omnigrok(last: int, data_dir: Path | None, tell: Tell, threads: int = 0) -> list[Comparison]:
    """Train to step `last` and compare at every step of theirs up to there; `tell` hears of (step, last).
    `threads` 0 chooses.

    Raises UsageError where there is no MNIST, MissingPackage without what trains.
    """
    from grokscope_train.choose import resolve
    from grokscope_train.config import TrainConfig
    from grokscope_train.data import load_experiment
    from grokscope_train.training import Training

    points = {step for step in (*OMNIGROK_TRAIN, *OMNIGROK_TEST) if step <= last}
    config = TrainConfig.from_mapping({**OMNIGROK_OPTIONS, "steps": max(points), "threads": threads})
    experiment = load_experiment(config, data_dir)
    training = Training(resolve(config, experiment), experiment)
    found = []
    for step in sorted(points):
        while training.step < step:
            training.advance(step)
            tell(training.step, config.steps)
        found += _at(step, training.checkpoint().metrics)
    return found


def _at(step: int, metrics: dict[str, float]) -> list[Comparison]:
    printed = (("train", OMNIGROK_TRAIN, TRAIN_TOLERANCE), ("test", OMNIGROK_TEST, TEST_TOLERANCE))
    return [
        Comparison(
            f"{part} accuracy at step {step:,}", metrics[f"{part}_accuracy"], values[step], tolerance, OMNIGROK
        )
        for part, values, tolerance in printed
        if step in values
    ]
