"""At which steps a run has a checkpoint, and of which it keeps the training state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.runfile import log_steps
from grokscope.steps import parse_step
from grokscope_train.config import TrainConfig

PER_DECADE = "per-decade"


def planned_steps(config: TrainConfig) -> NDArray[np.int64]:
    """Return the steps of all checkpoints, int64 [T], from 0 on, or from where a branch leaves its parent."""
    steps = log_steps(config.steps, config.checkpoints_per_decade, config.first_checkpoint)
    first = config.first_step
    return steps if first == 0 else np.concatenate([[first], steps[steps > first]])


def kept_steps(config: TrainConfig) -> NDArray[np.int64]:
    """Return the planned checkpoints whose training states are kept, as `keep_states` names them; int64 [k].

    "per-decade" means the last one up to every power of ten, and steps mean the last one up to each of them.
    Raises UsageError for anything else.
    """
    planned = planned_steps(config)
    if config.keep_states == PER_DECADE:
        wanted = 10.0 ** np.arange(int(np.log10(max(config.steps, 1))) + 1)
    else:
        numbers = [parse_step(part) for part in config.keep_states.split(",") if part.strip()]
        if None in numbers:
            raise UsageError(
                f"--keep-states is {config.keep_states!r}; give {PER_DECADE}, or steps such as 100k,1M"
            )
        wanted = np.array(numbers, dtype=np.float64)
    places = np.searchsorted(planned, wanted, side="right") - 1
    return np.unique(planned[places[places >= 0]]).astype(np.int64)
