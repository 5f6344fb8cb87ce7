"""A figure as plain numbers, strings and lists, as JSON knows them; unknown numbers are None."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from grokscope.figures.data import Figure
from grokscope.numbers import json_value


def plain(figure: Figure) -> dict[str, Any]:
    """Every number of a figure: axes, marks (each with its kind) and facts."""
    axes = {name: {field.name: json_value(getattr(axis, field.name)) for field in fields(axis)}
            for name, axis in (("x", figure.x), ("y", figure.y))}  # fmt: skip
    marks = [
        {
            "kind": type(mark).__name__.lower(),
            **{one.name: json_value(getattr(mark, one.name)) for one in fields(mark)},
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
