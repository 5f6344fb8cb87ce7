"""A figure as plain numbers, strings and lists, as JSON knows them; unknown numbers are None."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from grokscope.figures.data import Figure


def plain(figure: Figure) -> dict[str, Any]:
    """Every number of a figure: axes, marks (each with its kind) and facts."""
    axes = {name: {field.name: _plain(getattr(axis, field.name)) for field in fields(axis)}
            for name, axis in (("x", figure.x), ("y", figure.y))}  # fmt: skip
    marks = [
        {
            "kind": type(mark).__name__.lower(),
            **{one.name: _plain(getattr(mark, one.name)) for one in fields(mark)},
        }
        for mark in figure.marks
    ]
    return {
        "title": figure.title,
        "reason": figure.reason or None,
        **axes,
        "marks": marks,
        "facts": [fact.text for fact in figure.facts],
    }


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
