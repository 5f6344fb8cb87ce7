"""What loggers call accuracies and losses, and whether those are fractions or percents."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from grokscope.errors import UsageError

SPLITS = {
    "train": "train", "training": "train", "tr": "train",
    "test": "test", "testing": "test", "val": "test", "valid": "test", "validation": "test",
    "eval": "test", "dev": "test",
}  # fmt: skip
MEASURES = {
    "acc": "accuracy", "accs": "accuracy", "accuracy": "accuracy", "accuracies": "accuracy", "top1": "accuracy",
    "acc1": "accuracy", "loss": "loss", "losses": "loss", "nll": "loss",
}  # fmt: skip
FILLING = {"epoch", "metrics", "metric", "mean", "avg", "top", "1"}
"""Words that change nothing: train_loss_epoch is train_loss."""
STEPS = ("step", "global_step", "_step", "iteration", "iter", "it", "iter_num", "iterations", "steps")
"""Columns that number the steps, in the order in which one is chosen; an epoch where there is none."""
EPOCHS = ("epoch", "epochs", "ep")
ROUNDED = 1 + 1e-6
SURELY_PERCENT, WHOLE = 1.5, 100.0


def words_of(name: str) -> list[str]:
    """Split a name into its words: "runs/a - Val/Acc1" ends in val and acc1."""
    return [word for word in re.split(r"[^a-z0-9]+", name.rpartition(" - ")[2].lower()) if word]


def known_name(name: str) -> str:
    """Return train_accuracy, test_accuracy, train_loss or test_loss where a name means one of them, else ""."""
    words = words_of(name)
    splits = {SPLITS[word] for word in words if word in SPLITS}
    measures = {MEASURES[word] for word in words if word in MEASURES}
    rest = [word for word in words if word not in SPLITS and word not in MEASURES and word not in FILLING]
    return f"{splits.pop()}_{measures.pop()}" if len(splits) == len(measures) == 1 and not rest else ""


def plain_name(name: str) -> str:
    """Return a name that a run file can hold: `train/lr` becomes `train.lr`."""
    name = "".join(letter if letter.isprintable() else " " for letter in str(name)).replace("/", ".").strip()
    return name if name not in ("", ".", "..") else f"metric {name}".strip()


def renamed(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Map names to what grokscope calls them, and say so; of two names for one metric, the plainer is mapped.

    No two come to one: where a name is taken, a number follows it.
    """
    chosen: dict[str, str] = {}
    taken = {""}
    for name in sorted(names, key=lambda name: (_strangeness(name), len(name), name)):
        numbered = (f"{plain_name(name)}~{count}" for count in itertools.count(2))
        wanted = itertools.chain((known_name(name), plain_name(name)), numbered)
        chosen[name] = next(called for called in wanted if called not in taken)
        taken.add(chosen[name])
    told = [f"{name} is read as {called}" for name, called in chosen.items() if called != plain_name(name)]
    return chosen, told


def _strangeness(name: str) -> int:
    """Tell which name of a metric comes first: its own, then one of the test set, of a validation set, and means
    over epochs last.
    """
    words = words_of(name)
    return (name != known_name(name)) + (not {"test", "train"} & set(words)) + 2 * ("epoch" in words)


def is_accuracy(name: str) -> bool:
    """Tell whether a metric is an accuracy by its name."""
    return any(MEASURES.get(word) == "accuracy" for word in words_of(name))


def percent_of(name: str, values: Sequence[float]) -> bool:
    """Tell whether accuracies are percents: all fit 0–100 and some exceed 1.5.

    Raises UsageError where they are neither fractions nor percents.
    """
    known = [value for value in values if value == value]
    if not known or (min(known) >= 0 and max(known) <= ROUNDED):
        return False
    if min(known) >= 0 and SURELY_PERCENT < max(known) <= WHOLE:
        return True
    raise UsageError(
        f"{name} goes from {min(known):g} to {max(known):g}, which is neither a fraction nor a percentage; "
        "give accuracies from 0 to 1"
    )


def as_fractions(rows: Sequence[dict[str, float]], source: object) -> list[str]:
    """Divide accuracies in percent by 100, in place, and say so; raises UsageError where they are neither."""
    told = []
    for name in sorted({name for row in rows for name in row if is_accuracy(name)}):
        if percent_of(f"{name} in {source}", [row[name] for row in rows if name in row]):
            for row in rows:
                row |= {name: row[name] / WHOLE} if name in row else {}
            told.append(f"{name} is in percent and was divided by 100")
    return told


def metrics_of(extra: Mapping[str, object]) -> dict[str, float]:
    """Return the losses and accuracies among the plain values beside a checkpoint's weights.

    Those of its configuration and the best ones so far are not this checkpoint's. Accuracies in percent are made
    fractions when the table of all checkpoints is made.
    """
    values = {
        name: float(value)
        for name, value in extra.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_metric(name)
    }
    names, _ = renamed(values)
    return {names[name]: value for name, value in values.items()}


def _is_metric(name: str) -> bool:
    words = words_of(name)
    return any(word in MEASURES for word in words) and not {"config", "args", "hparams", "best", "adapter"} & set(
        words
    )
