"""The other runs in a plot of the front one: a thin line each, seeds of one experiment as mean and spread."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.timeline import Timeline
from grokscope.app.plots.timeline import run_color
from grokscope.app.plots.trajectory import Line
from grokscope.app.state import State

Array = NDArray[np.float64]
Read = Callable[[Timeline], Array]
"""What is drawn of a run, float64 [n] over its steps."""

ENOUGH = 3
"""Seeds of one experiment from which on their mean says more than they do one by one."""


def others(state: State, read: Read, *, joined: bool = True) -> tuple[Line, ...]:
    """A line for each other run or experiment, below the front run's; those of many runs in one quiet colour."""
    groups = _groups(state)
    names = (letter * (1 + place // 26) for place, letter in enumerate(ascii_lowercase[1:] * 2))
    return tuple(
        _mean(group, read, color)
        if len(group) >= ENOUGH
        else Line(next(names), read(group[0]), color, timeline=group[0], joined=joined)
        for group, color in zip(groups, _colors(state, len(groups)), strict=True)
    )


def _colors(state: State, count: int) -> list[str]:
    return [run_color(state.palette, number, count) for number in range(count)]


def _groups(state: State) -> list[list[Timeline]]:
    """The runs of each experiment of several seeds, the front run with them, and each other run alone."""
    numbers = state.experiments or tuple(range(len(state.runs)))
    order = [*range(state.front + 1, len(state.runs)), *range(state.front)]
    found: list[list[Timeline]] = []
    for number in dict.fromkeys(numbers[place] for place in order):
        members = [place for place in range(len(state.runs)) if numbers[place] == number]
        if len(members) >= ENOUGH:
            found.append([state.runs[place] for place in members])
        else:
            found += [[state.runs[place]] for place in order if place in members]
    return found


def _mean(runs: list[Timeline], read: Read, color: str) -> Line:
    """The mean and a standard deviation to either side, at the steps that all of the runs have."""
    steps = reduce(np.intersect1d, [run.steps for run in runs])
    values = np.stack([read(run)[np.searchsorted(run.steps, steps)] for run in runs])
    middle, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    shared = Timeline("mean", steps, max(run.last_step for run in runs))
    return Line(f"mean of {len(runs)}", middle, color, middle - spread, middle + spread, timeline=shared)
