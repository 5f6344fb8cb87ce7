"""A branch on its parent's timeline: the parent's curves stand behind the branch's, and a line where it left."""

from __future__ import annotations

from dataclasses import replace

from grokscope.figures.data import Curve, Figure, Points, VLine
from grokscope.figures.history import on_common_axes

PARENT = "parent"


def on_parent(branch: Figure, parent: Figure, step: int) -> Figure:
    """Draw the same panel of both over the range of both; the branch left its parent at `step`."""
    branch, parent = on_common_axes([branch, parent])
    line = VLine(float(max(step, branch.x.low)), label="branched", role="edge")
    behind = tuple(
        replace(mark, label=f"{PARENT} {mark.label}".strip(), role="faint")
        for mark in parent.marks
        if isinstance(mark, (Curve, Points))
    )
    return replace(branch, marks=(*behind, line, *branch.marks))
