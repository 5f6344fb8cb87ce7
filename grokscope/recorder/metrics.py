"""Metrics as a training loop gives them: numbers, tensors, functions, and what is none of these."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from grokscope.importers.metric_names import plain_name
from grokscope.recorder.troubles import Troubles

LARGEST_FRACTION = 1.5  # an accuracy above it is a percentage
_ACCURACY = re.compile(r"(^|[^a-z])acc(uracy)?([^a-z]|$)", re.IGNORECASE)


def copied(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics with tensors and arrays copied, since a loop may change them in place."""
    return {name: _copied(value) for name, value in metrics.items()}


def _copied(value: Any) -> Any:
    if callable(value):
        return value
    if hasattr(value, "detach"):
        return value.detach().clone()
    return value.copy() if hasattr(value, "copy") else value


class Numbers:
    """Turns metrics into floats, NaN where there is none, and percentages into fractions; tells of both once."""

    def __init__(self, troubles: Troubles) -> None:
        """Begin with no name seen."""
        self._troubles = troubles
        self._percentages: set[str] = set()

    def of(self, step: int, given: Mapping[str, Any]) -> dict[str, float]:
        """Return a float for every metric, by the names that the file can hold."""
        called: dict[str, Any] = {}
        for name, value in given.items():
            plain = plain_name(name)
            if plain in called:
                self._troubles.tell(f"same {plain}", f"two metrics are called {plain}; the later one is recorded")
            called[plain] = value
        return {name: self._number(name, value, step) for name, value in called.items()}

    def _number(self, name: str, value: Any, step: int) -> float:
        try:
            number = _float(value() if callable(value) else value)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            self._troubles.tell(
                f"no number {name}", f"{name} is no number at step {step:,} ({why}); NaN is recorded"
            )
            return math.nan
        return self._fraction(name, number, step) if _ACCURACY.search(name) else number

    def _fraction(self, name: str, value: float, step: int) -> float:
        """Return an accuracy from 0 to 1; one that is a percentage once is taken for one ever after."""
        if value > LARGEST_FRACTION and name not in self._percentages:
            self._percentages.add(name)
            self._troubles.tell(
                f"percent {name}",
                f"{name} is {value:g} at step {step:,} and taken for percent: a hundredth of it is recorded from "
                "here on; give fractions from 0 to 1",
            )
        value = value / 100 if name in self._percentages else value
        if not -1e-9 <= value <= LARGEST_FRACTION and not math.isnan(value):
            self._troubles.tell(
                f"range {name}", f"{name} is outside 0 to 1 at step {step:,}; such values are recorded as NaN"
            )
            return math.nan
        return value


def _float(value: Any) -> float:
    if value is None or isinstance(value, (str, bytes)):
        raise TypeError(f"it is {value!r:.40}")
    return float(value)
