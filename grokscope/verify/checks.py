"""What can be verified, by name, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.published import OMNIGROK_TEST, PAPER_STEPS, SCALE_OF_ITS_NORM, SCALE_SAID
from grokscope.verify.comparison import Comparison
from grokscope.verify.long_runs import extremes, scaled
from grokscope.verify.omnigrok import Tell, omnigrok
from grokscope.verify.start import start
from grokscope.verify.tables import tables

SAMPLE = Path("sample_runs/mnist-wd0.h5")
QUICK_STEPS = 20_010

Train = Callable[[Path, tuple[str, ...]], None]
"""Trains the run file at a path with options, or goes on with it."""


@dataclass(frozen=True)
class Means:
    """What a check may use.

    run: a run file that is there already, instead of the sample run or of a training. folder: where long trainings
    keep their run files. data_dir: where MNIST is. train: trains a run file. tell: hears how far a training is.
    """

    run: Path | None
    folder: Path
    data_dir: Path | None
    train: Train
    tell: Tell


@dataclass(frozen=True)
class Check:
    """One check: what it compares, and the time it takes on two idle cores."""

    name: str
    title: str
    cost: str
    quick: bool
    compare: Callable[[Means], list[Comparison]] = field(repr=False)


def _tables(means: Means) -> list[Comparison]:
    if (run := means.run or SAMPLE).exists():
        return tables(run)
    raise UsageError(f"there is no {run} here; name a run of the paper's experiment by --run")


def _omnigrok(last: int) -> Callable[[Means], list[Comparison]]:
    return lambda means: omnigrok(last, means.data_dir, means.tell)


def _extremes(means: Means) -> list[Comparison]:
    return extremes(means.run or _trained(means, "papers.h5"))


def _scales(means: Means) -> list[Comparison]:
    if means.run:
        return scaled(means.run)
    found = []
    for scale in (SCALE_OF_ITS_NORM, SCALE_SAID):
        found += scaled(_trained(means, f"scale-{scale:g}.h5", "--init-scale", f"{scale:g}"))
    return found


def _trained(means: Means, name: str, *options: str) -> Path:
    run = means.folder / name
    means.train(run, ("--steps", str(PAPER_STEPS), "--checkpoints-per-decade", "10", *options))
    return run


CHECKS = {
    check.name: check
    for check in (
        Check("start", "norms and entropies before the first step: closed forms, 2602.02859 App. I", "a second",
              True, lambda means: start()),
        Check("tables", "the paper's Tables 2 and 4, from the sample run or --run", "seconds", True, _tables),
        Check("omnigrok", f"Omnigrok's accuracies on MNIST to step {QUICK_STEPS:,}", "a minute", True,
              _omnigrok(QUICK_STEPS)),
        Check("omnigrok-long", f"the same to step {max(OMNIGROK_TEST):,}", "five minutes", False,
              _omnigrok(max(OMNIGROK_TEST))),
        Check("extremes", "2602.02859 App. G: extreme entries after 10⁷ steps", "an hour and a quarter", False,
              _extremes),
        Check("scales", "2602.02859 App. I: accuracy and α from both initial scales, 10⁷ steps each",
              "some ten hours", False, _scales),
    )
}  # fmt: skip
"""Every check by its name, the quick ones first."""
