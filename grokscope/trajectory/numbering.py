"""The step of every checkpoint of a folder: found by a stated rule, or refused with the way out.

In this order: what the user says; a step inside the files; a number in the names that is labelled as a step, else
as an iteration, else as an epoch; an epoch inside the files; the only number that varies in the names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.runfile import LeftOut
from grokscope.trajectory.given_steps import steps_by_regex, steps_in_table
from grokscope.trajectory.numbered import Numbering, some
from grokscope.trajectory.numbers_in_names import EPOCHS, ITERATIONS, STEPS, Number, numbers_in, skeleton

LARGEST_STEP = 2**63 - 1
STEP_KEYS = (
    "global_step", "iter_num", "step", "iteration", "iter", "num_updates", "train_step", "training_step",
)  # fmt: skip
EPOCH_KEYS = ("epoch", "epochs", "current_epoch")
Labels = Sequence[tuple[str, frozenset[str]]]
LABELS: Labels = (("step", STEPS), ("iter", ITERATIONS), ("epoch", EPOCHS))
CHECKPOINT = ("checkpoint", frozenset({"checkpoint", "ckpt", "chkpt"}))
WAY_OUT = r"say it by --step-regex '…(\d+)…', or list `name,step` in a file and give it by --steps-from"

Inside = Mapping[str, object]


def number_checkpoints(
    checkpoints: Mapping[str, Inside], *, step_regex: str | None = None, steps_from: str | Path | None = None
) -> Numbering:
    """Give each checkpoint, name → plain values inside it, a step.

    `step_regex` is searched in the names, and its first group is the step; `steps_from` is a file of lines
    `name,step`. Raises UsageError where two checkpoints have one step, or where several numbers could be it.
    """
    if steps_from is not None:
        return _unique(steps_in_table(checkpoints, Path(steps_from)))
    if step_regex is not None:
        return _unique(steps_by_regex(checkpoints, step_regex))
    if len(checkpoints) == 1:
        return _of_one(*next(iter(checkpoints.items())))
    for numbering in _rules(checkpoints):
        if len(set(numbering.steps.values())) > 1:
            return _undisputed(_unique(_without_copies(numbering)), checkpoints)
    raise UsageError(_why_none(list(checkpoints)))


def _undisputed(numbering: Numbering, checkpoints: Mapping[str, Inside]) -> Numbering:
    """Refuse an order that another counter turns round: a step that begins anew in each epoch tells no order."""
    order = sorted(numbering.steps, key=lambda name: numbering.steps[name])
    for other in _counters(checkpoints):
        for before, after in itertools.pairwise(name for name in order if name in other.steps):
            if other.steps[before] > other.steps[after]:
                raise UsageError(
                    f"{before} comes before {after} by {numbering.rule} ({numbering.steps[before]:,} and "
                    f"{numbering.steps[after]:,}), and after it by {other.rule} ({other.steps[before]:,} and "
                    f"{other.steps[after]:,}); {WAY_OUT}"
                )
    return numbering


def _counters(checkpoints: Mapping[str, Inside]) -> Iterator[Numbering]:
    """Everything that is known to count: inside the files, and labelled in the names."""
    yield from _inside(checkpoints, (*STEP_KEYS, *EPOCH_KEYS))
    yield from _labelled_quietly(checkpoints, LABELS)


def _rules(checkpoints: Mapping[str, Inside]) -> Iterator[Numbering]:
    names = {name: numbers_in(name) for name in checkpoints}
    yield from _inside(checkpoints, STEP_KEYS)
    for label, words in LABELS:
        yield from _labelled(names, label, words)
    yield from _inside(checkpoints, EPOCH_KEYS)
    yield from _varying(names)


def _inside(checkpoints: Mapping[str, Inside], keys: Sequence[str]) -> Iterator[Numbering]:
    """Take the first of `keys` that is a whole number inside every checkpoint."""
    for key in keys:
        values = {name: _whole(inside.get(key)) for name, inside in checkpoints.items()}
        known = {name: value for name, value in values.items() if value is not None}
        if len(known) == len(checkpoints):
            yield Numbering(known, f"`{key}` inside the files", counts=_kind(key))


def _labelled(names: Mapping[str, list[Number]], label: str, words: frozenset[str]) -> Iterator[Numbering]:
    labelled = {name: [n for n in numbers if n.stands_by(words)] for name, numbers in names.items()}
    if not any(labelled.values()):
        return
    for name, numbers in labelled.items():
        if len(numbers) > 1:
            raise UsageError(f"{name} has {_either(numbers)} as its {label}; {WAY_OUT}")
        if not numbers and names[name]:
            raise UsageError(f"{name} has no number that is labelled `{label}`, as others have; {WAY_OUT}")
    steps = {name: numbers[0].value for name, numbers in labelled.items() if numbers}
    if words != EPOCHS:
        _refuse_groups({name: numbers[0] for name, numbers in labelled.items() if numbers})
    yield Numbering(steps, _by_label(label), _nameless(names), _kind(label))


def _varying(names: Mapping[str, list[Number]]) -> Iterator[Numbering]:
    """Take the only number that varies in names that are equal but for their numbers, or the only one in each."""
    numbered = {name: numbers for name, numbers in names.items() if numbers}
    if not numbered:
        return
    alike = len({skeleton(name) for name in numbered}) == 1
    if alike and len({tuple(n.place for n in numbers) for numbers in numbered.values()}) == 1:
        columns = list(zip(*numbered.values(), strict=True))
        varying = [k for k, column in enumerate(columns) if len({n.value for n in column}) > 1]
    else:
        varying = [0] if all(len(numbers) == 1 for numbers in numbered.values()) else [0, 1]
    if len(varying) == 1:
        chosen = {name: numbers[varying[0]] for name, numbers in numbered.items()}
        _refuse_groups({name: number for name, number in chosen.items() if number.joined % 1000 == 0})
        steps = {name: number.value for name, number in chosen.items()}
        yield Numbering(steps, "the only number that varies in the names", _nameless(names))
    elif varying:
        name, numbers = max(numbered.items(), key=lambda item: len(item[1]))
        raise UsageError(f"the step of {name} could be {_either(numbers)}; {WAY_OUT}")


def _refuse_groups(chosen: Mapping[str, Number]) -> None:
    """Refuse numbers that may all be written in groups of three digits: 1_000 is 1 and 000, or 1,000."""
    if all(number.joined >= 0 for number in chosen.values()):
        for name, number in chosen.items():
            if number.joined != number.value:
                raise UsageError(f"the step of {name} could be {number.value:,} or {number.joined:,}; {WAY_OUT}")


def _of_one(name: str, inside: Inside) -> Numbering:
    """A single checkpoint needs no step to be told from others: what is known, else 0."""
    alone = {name: inside}
    labelled = _labelled_quietly(alone, (*LABELS, CHECKPOINT))
    for numbering in (*_inside(alone, STEP_KEYS), *labelled, *_inside(alone, EPOCH_KEYS)):
        return _unique(numbering)
    return Numbering({name: 0}, "no step is known of a single model: 0 stands for it")


def _labelled_quietly(names: Iterable[str], labels: Labels) -> Iterator[Numbering]:
    """Take what is labelled once in a name, whatever the other names have."""
    for label, words in labels:
        found = {name: [number for number in numbers_in(name) if number.stands_by(words)] for name in names}
        steps = {name: numbers[0].value for name, numbers in found.items() if len(numbers) == 1}
        if steps:
            yield Numbering(steps, _by_label(label), counts=_kind(label))


def _by_label(label: str) -> str:
    return f"the number labelled `{label}` in the names"


def _kind(counter: str) -> str:
    """Return what a counter counts: epochs, or steps by any of their names; "" for a mere checkpoint's number."""
    return "epoch" if counter in EPOCH_KEYS else "" if counter == CHECKPOINT[0] else "step"


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < math.inf and value == int(value) else None


def _without_copies(numbering: Numbering) -> Numbering:
    """Leave out `last.ckpt` where a file with a number in its name has the same step."""
    by_step: dict[int, str] = {}
    for name in sorted(numbering.steps, key=lambda name: not numbers_in(name)):
        by_step.setdefault(numbering.steps[name], name)
    copies = [name for name, step in numbering.steps.items() if by_step[step] != name and not numbers_in(name)]
    others = tuple(LeftOut(name, f"of the same step as {by_step[numbering.steps[name]]}") for name in copies)
    kept = {name: step for name, step in numbering.steps.items() if name not in copies}
    return replace(numbering, steps=kept, left_out=(*numbering.left_out, *others))


def _unique(numbering: Numbering) -> Numbering:
    seen: dict[int, str] = {}
    for name, step in numbering.steps.items():
        if step > LARGEST_STEP:
            raise UsageError(f"{name} would have step {step}, which is too large for one; {WAY_OUT}")
        if (first := seen.setdefault(step, name)) != name:
            raise UsageError(
                f"{first} and {name} are both step {step:,} by {numbering.rule}; keep one of them, or {WAY_OUT}"
            )
    return numbering


def _nameless(names: Mapping[str, list[Number]]) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(name, "no step in its name") for name, numbers in names.items() if not numbers)


def _why_none(names: Sequence[str]) -> str:
    candidates = [number for name in names for number in numbers_in(name)]
    if not candidates:
        return f"no step in the names of {some(names)}: decimals, dates, versions and seeds are none; {WAY_OUT}"
    return f"no number of {some(names)} tells them apart; {WAY_OUT}"


def _either(numbers: Sequence[Number]) -> str:
    words = [f"{number.value:,}" for number in numbers]
    return f"{', '.join(words[:-1])} or {words[-1]}"
