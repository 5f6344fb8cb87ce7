"""What weakens every verdict on a trajectory: weights that are no layers, and checkpoints that are equal."""

from __future__ import annotations

from grokscope.trajectory import Trajectory
from grokscope.trajectory.duplicates import same_weights

SHOWN = 3


def caveats(run: Trajectory) -> tuple[str, ...]:
    """Say in a sentence each what the reader of a verdict should know: what is left out, which steps are equal.

    Where each layer comes from is in its `note`.
    """
    return (*left_out_words(run), *same_weights(run))


def left_out_words(run: Trajectory) -> list[str]:
    """Name the first few that are left out with their reasons, and how many more there are."""
    if not run.left_out:
        return []
    named = "; ".join(f"{out.name} ({out.reason})" for out in run.left_out[:SHOWN])
    more = (
        f"; and {len(run.left_out) - SHOWN} more, listed by `grokscope info`" if len(run.left_out) > SHOWN else ""
    )
    return [f"left out: {named}{more}"]
