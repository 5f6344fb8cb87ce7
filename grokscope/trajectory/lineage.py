"""Whose child a run is: where `grokscope branch` left another run's trajectory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokscope.errors import GrokscopeError
from grokscope.names import safe_name
from grokscope.numbers import whole
from grokscope.runfile import Run
from grokscope.trajectory.protocol import Trajectory

KEPT = "kept"  # a branch's configuration says so where it began from the parent's training state


@dataclass(frozen=True)
class Lineage:
    """Where a branch left its parent, by uuid and file name, what it began from, and what was done to it there."""

    parent: str
    parent_name: str
    step: int
    kept: bool
    edits: tuple[str, ...]

    def words(self) -> str:
        """Say it in a sentence's half: "branch of run.h5 at step 1,000, from its training state"."""
        began = "training state" if self.kept else "weights, with fresh moments"
        done = "".join(f"; {safe_name(edit)}" for edit in self.edits)
        return f"branch of {safe_name(self.parent_name)} at step {whole(self.step)}, from its {began}{done}"


def lineage_of(config: Mapping[str, Any]) -> Lineage | None:
    """Read where a run branched off from its configuration; None for a run that is no branch."""
    branch = config.get("branch")
    if not isinstance(branch, Mapping):
        return None
    try:
        return Lineage(
            parent=str(branch["parent"]),
            parent_name=str(branch["parent_name"]),
            step=int(branch["step"]),
            kept=branch.get("state") == KEPT,
            edits=tuple(map(str, branch.get("edits", ()))),
        )
    except (KeyError, TypeError, ValueError):
        return None


def parent_of(run: Trajectory) -> Run | None:
    """Open the parent of a branch where it lies beside it under its name; None where it does not."""
    lineage = lineage_of(run.config)
    if lineage is None:
        return None
    path = run.path.with_name(Path(lineage.parent_name).name)
    try:
        parent = Run.open(path)
    except (GrokscopeError, OSError):
        return None
    return parent if parent.uuid == lineage.parent else None


def with_parent(runs: list[Trajectory]) -> list[Trajectory]:
    """Add its parent to a branch that stands alone, where it lies beside it: it lives on its parent's timeline."""
    parent = parent_of(runs[0]) if len(runs) == 1 else None
    return runs if parent is None else [*runs, parent]
