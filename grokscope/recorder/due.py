"""When a checkpoint is due, and for how many of them there is room at first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import log_steps

LARGEST_STEP = 10**15  # the schedule beyond it has to fit into an int64
FIRST_BYTES = 1 << 25
FEWEST, MOST = 4, 80  # checkpoints that get room at first where the length of a run is unknown


def next_due(step: int, per_decade: int) -> int:
    """Return the first checkpoint of the logarithmic schedule after `step`, which is at most LARGEST_STEP."""
    return int(due_steps(step, 1, per_decade)[0])


def due_steps(after: int, count: int, per_decade: int) -> NDArray[np.int64]:
    """Return the first `count` checkpoints of the schedule after the step `after`, int64, at most [count]."""
    last = 10 * max(after, 1)
    while True:
        steps = log_steps(last, per_decade)[:-1]  # the last one is no point of the schedule
        later = steps[steps > after]
        if len(later) >= count or last > LARGEST_STEP:
            return later[:count]
        last *= 10


def first_room(checkpoint_bytes: int) -> int:
    """Return how many checkpoints get room at first: those of 32 MiB, within bounds."""
    return int(np.clip(FIRST_BYTES // max(checkpoint_bytes, 1), FEWEST, MOST))
