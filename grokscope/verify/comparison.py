"""One number of ours beside one of somebody else's."""

from __future__ import annotations

import math
from dataclasses import dataclass

AGREES, DIFFERS, NOT_COMPARED = "agrees", "differs", "not compared"


@dataclass(frozen=True)
class Comparison:
    """A quantity as we measure it and as they print it.

    `tolerance` is how far apart both may be, absolutely; None where they cannot be held against each other, and
    then `note` says why. `source` says where their value is from.
    """

    what: str
    ours: float
    theirs: float
    tolerance: float | None
    source: str
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether they agree; what is not known never does."""
        if self.tolerance is None:
            return NOT_COMPARED
        near = math.isfinite(self.ours) and abs(self.ours - self.theirs) <= self.tolerance
        return AGREES if near else DIFFERS
