"""The other runs in a plot of the front one: a thin line each, seeds of one experiment as mean and spread."""

from __future__ import annotations

from string import ascii_lowercase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.timeline import Timeline
from grokscope.app.plots.timeline import run_role
from grokscope.app.state import State
from grokscope.figures import Axis, Line
from grokscope.figures.over_time import Column, at_common_steps
from grokscope.numbers import combined_probability

ENOUGH = 3
"""Seeds of one experiment from which on their mean says more than they do one by one."""


class Other(NamedTuple):
    """One line beside the front run's: its name, its role, and the run that it shows, or the runs whose mean."""

    name: str
    role: str
    runs: tuple[Timeline, ...]


def others(state: State) -> tuple[Other, ...]:
    """A line for each other run or experiment, below the front run's; those of many runs in one quiet colour."""
    groups = _groups(state)
    names = (letter * (1 + place // 26) for place, letter in enumerate(ascii_lowercase[1:] * 2))
    return tuple(
        Other(
            f"mean of {len(group)}" if len(group) >= ENOUGH else next(names), run_role(number, len(groups)), group
        )
        for number, group in enumerate(groups)
    )


def value_at(line: Line, runs: tuple[Timeline, ...], step: float) -> float:
    """A line's value at the last checkpoint up to a step that all of the runs have; NaN before the first one, and
    after the last, where nothing is known of them any more."""
    column = _column_at(line.values, runs, step)
    return float(column.mean() if line.combined is None else line.combined(column)[0])


def spelled_at(line: Line, runs: tuple[Timeline, ...], step: float, y: Axis) -> str:
    """That value as a person reads it: a p-value with the bound of the draws that it comes from."""
    value, column = value_at(line, runs, step), _column_at(line.values, runs, step)
    draws = np.nan_to_num(_column_at(line.draws, runs, step)) if line.draws else np.zeros_like(column)
    nearest = int(np.argmin(column * (draws + 1)))  # to its bound
    if line.combined is None or len(runs) == 1:
        return y.spell(value, int(draws[nearest, 0]))
    return combined_probability(value, float(column[nearest, 0]), int(draws[nearest, 0]))


def _column_at(column: Column, runs: tuple[Timeline, ...], step: float) -> NDArray[np.float64]:
    """Each run's value, float64 [runs, 1], NaN where there is no such step."""
    steps, table = at_common_steps(runs, column)
    place = int(np.searchsorted(steps, step, side="right")) - 1
    if place < 0 or step > steps[-1]:
        return np.full((len(runs), 1), np.nan)
    return table[:, place : place + 1]


def _groups(state: State) -> list[tuple[Timeline, ...]]:
    """The runs of each experiment of several seeds, the front run with them, and each other run alone."""
    numbers = state.experiments or tuple(range(len(state.runs)))
    order = [*range(state.front + 1, len(state.runs)), *range(state.front)]
    found: list[tuple[Timeline, ...]] = []
    for number in dict.fromkeys(numbers[place] for place in order):
        members = [place for place in range(len(state.runs)) if numbers[place] == number]
        if len(members) >= ENOUGH:
            found.append(tuple(state.runs[place] for place in members))
        else:
            found += [(state.runs[place],) for place in order if place in members]
    return found
