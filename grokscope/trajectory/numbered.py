"""Which checkpoint has which step, as every rule says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grokscope.runfile import LeftOut

SHOWN = 3


@dataclass(frozen=True)
class Numbering:
    """Which checkpoints have a step: `steps` by the checkpoint's name, by which `rule`, and who is left out.

    `counts` is "step" or "epoch" where it is known which of them the numbers are, else "".
    """

    steps: Mapping[str, int]
    rule: str
    left_out: tuple[LeftOut, ...] = field(default=())
    counts: str = ""


def some(names: Sequence[str]) -> str:
    """Name the first few, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
