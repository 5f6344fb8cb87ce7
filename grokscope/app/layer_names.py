"""Layers' names made short where there are many: what all share is left out, what tells one from another stays."""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase
from functools import lru_cache

from rich.cells import cell_len

from grokscope.app.plots.canvas import fit
from grokscope.names import safe_name

SHORTEST = 8
"""Cells that a name gets in a title however little room there is."""


@lru_cache(maxsize=8)
def telling(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without the parts that are the only ones at their place.

    `model.layers.3.mlp.up.weight` becomes `3.mlp.up` where every name begins with `model.layers` and nothing but
    `weight` follows.
    """
    followers: dict[tuple[str, ...], set[str]] = defaultdict(set)
    parts = [tuple(safe_name(name).split(".")) for name in names]
    for one in parts:
        for place, part in enumerate((*one, "")):  # "" ends a name
            followers[one[:place]].add(part)
    found = []
    for one in parts:
        kept = [part for place, part in enumerate(one) if len(followers[one[:place]]) > 1]
        found.append(".".join(kept) if len(names) > 1 and kept else ".".join(one))
    return tuple(found)


def shortened(name: str, width: int) -> str:
    """A name in `width` cells: parts before the first number go, then those between become initials."""
    if cell_len(name) <= width:
        return fit(name, width)
    parts = name.split(".")
    first = next((place for place, part in enumerate(parts) if part.isdigit()), 0)
    initials = ".".join([part if part.isdigit() else part[:1] for part in parts[first:-1]] + parts[-1:])
    forms = [*("…" + ".".join(parts[place:]) for place in range(1, first + 1)), initials]
    return fit(next((form for form in forms if cell_len(form) <= width), initials), width)


def in_title(name: str, width: int) -> str:
    """A name for the title of a plot: as much of it as leaves room for the first fact, as the table has it."""
    return shortened(name, max(SHORTEST, 2 * width // 5)).rstrip()


def matches(name: str, wanted: str) -> bool:
    """Whether a name has the wanted part in it, or is as a pattern with `*`, `?` or `[` wants it, in any case."""
    name, wanted = safe_name(name).lower(), wanted.lower()
    return fnmatchcase(name, wanted) if any(sign in wanted for sign in "*?[") else wanted in name
