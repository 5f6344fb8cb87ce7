"""The training loop: steps, checkpoints as planned, the state saved every half minute, stops on request."""

from __future__ import annotations

import enum
import math
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import RunWriter
from grokscope_train.signals import StopRequest
from grokscope_train.training import Training

TICK_SECONDS = 0.5


class Outcome(enum.Enum):
    """How a loop ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


class Display(Protocol):
    """Whoever shows the progress."""

    def tick(self, step: int, steps_per_second: float) -> None:
        """Hear of the step reached, twice a second."""

    def checkpoint(self, step: int, metrics: dict[str, float]) -> None:
        """Hear of a checkpoint that has been committed."""


class Pace:
    """Steps a second, over the last ticks, and whether something is due."""

    def __init__(self, step: int, save_seconds: float) -> None:
        """Start counting at `step`; the state is to be saved every `save_seconds`."""
        self._save_seconds = save_seconds
        self._step, self._time = step, time.monotonic()
        self._saved = self._time
        self.rate = math.nan

    def tick_is_due(self, step: int) -> bool:
        """Tell whether half a second has gone since the last tick, and if so measure the rate."""
        now = time.monotonic()
        if now - self._time < TICK_SECONDS:
            return False
        recent = (step - self._step) / (now - self._time)
        self.rate = recent if math.isnan(self.rate) else 0.8 * self.rate + 0.2 * recent
        self._step, self._time = step, now
        return True

    def save_is_due(self) -> bool:
        """Tell whether the state was saved too long ago, and if so start anew."""
        now = time.monotonic()
        if now - self._saved < self._save_seconds:
            return False
        self._saved = now
        return True


def train(
    training: Training, writer: RunWriter, stop: StopRequest, display: Display, save_seconds: float = 30.0
) -> Outcome:
    """Train to the last planned step, committing every planned checkpoint that the file lacks.

    Checkpoints that a killed run had committed beyond its saved state are passed by, not written again.
    Stops on request after saving the state, and at a checkpoint whose loss is not finite: from there on, every
    weight would be NaN. Raises StorageError where the disk refuses.
    """
    planned = {int(step): index for index, step in enumerate(writer.steps)}
    committed = writer.committed
    last = int(writer.steps[-1])
    pace = Pace(training.step, save_seconds)
    limit = training.step
    while True:
        index = planned.get(training.step)
        if index is not None and not committed[index] and not _record(training, writer, index, display):
            return _leave(training, writer, pace, Outcome.DIVERGED)
        if training.step >= last:
            return _leave(training, writer, pace, Outcome.FINISHED)
        if stop:
            return _leave(training, writer, pace, Outcome.INTERRUPTED)
        if training.step >= limit:
            limit = next_planned(writer.steps, training.step)
        training.advance(limit)
        if pace.tick_is_due(training.step):
            writer.heartbeat(training.step, pace.rate)
            display.tick(training.step, pace.rate)
        if pace.save_is_due():
            writer.save_resume(training.step, training.state())


def next_planned(steps: NDArray[np.int64], step: int) -> int:
    """Return the first planned step after `step`."""
    return int(steps[np.searchsorted(steps, step, side="right")])


def _record(training: Training, writer: RunWriter, index: int, display: Display) -> bool:
    """Evaluate and commit a checkpoint; return whether the loss is finite."""
    checkpoint = training.checkpoint()
    writer.commit(index, checkpoint.weights, checkpoint.biases, checkpoint.metrics, checkpoint.predictions)
    display.checkpoint(training.step, checkpoint.metrics)
    return math.isfinite(checkpoint.metrics["train_loss"])


def _leave(training: Training, writer: RunWriter, pace: Pace, outcome: Outcome) -> Outcome:
    """Save the state, so that this run can go on from here."""
    writer.save_resume(training.step, training.state())
    state = "finished" if outcome is Outcome.FINISHED else "interrupted"
    writer.heartbeat(training.step, pace.rate, state)
    return outcome
