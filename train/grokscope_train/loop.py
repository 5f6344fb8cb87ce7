"""The training loop: steps, checkpoints as planned, the state saved every half minute, stops on request."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import RunWriter
from grokscope_train.plan import kept_steps
from grokscope_train.signals import StopRequest
from grokscope_train.trained_network import TrainedNetwork

if TYPE_CHECKING:
    from grokscope_train.training import EnsembleTraining, Training

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
        """Hear of a checkpoint that has been committed; of several networks, their mean metrics."""

    def diverged(self, path: Path, step: int) -> None:
        """Hear of a run that is left at a step where its loss is not finite."""


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


class Recording:
    """A network with its file: the planned checkpoints that are missing there, and how it ended."""

    def __init__(self, network: TrainedNetwork, writer: RunWriter) -> None:
        """Prepare for every planned checkpoint that the file lacks."""
        self.network, self.writer = network, writer
        self._planned = set(map(int, writer.steps))
        planned = enumerate(zip(writer.steps, writer.committed, strict=True))
        self._lacking = {int(step): index for index, (step, committed) in planned if not committed}
        self._kept = {int(step) for step in kept_steps(network.config)}
        self.outcome = Outcome.INTERRUPTED  # unless it gets further

    def record(self) -> dict[str, float] | None:
        """Evaluate and commit the checkpoint of this step; return its metrics, or None where none is lacking."""
        index = self._lacking.get(self.network.step)
        if index is None:
            if self.network.step in self._planned:
                self.network.forget_largest_loss()  # as when it was committed, before a kill
            return None
        with np.errstate(over="ignore", invalid="ignore"):  # the display tells of a loss that is not finite
            checkpoint = self.network.checkpoint()
            self.writer.commit(
                index, checkpoint.weights, checkpoint.biases, checkpoint.metrics, checkpoint.predictions
            )
        self.network.forget_largest_loss()
        if self.network.step in self._kept:
            self.writer.keep_state(self.network.step, self.network.state())
        return checkpoint.metrics

    def save(self) -> None:
        """Save the state, so that the run can go on from here."""
        self.writer.save_resume(self.network.step, self.network.state())

    def end(self, outcome: Outcome, rate: float) -> None:
        """Say how it ended."""
        self.outcome = outcome
        state = "finished" if outcome is Outcome.FINISHED else "interrupted"
        self.writer.heartbeat(self.network.step, rate, state)


def train(
    training: Training | EnsembleTraining,
    writers: Sequence[RunWriter],
    stop: StopRequest,
    display: Display,
    save_seconds: float = 30.0,
) -> list[Outcome]:
    """Train to the last planned step, committing every planned checkpoint that the files lack.

    Checkpoints that a killed run had committed beyond its saved state are passed by, not written again.
    Stops on request after saving the states. A network whose loss is not finite at a checkpoint is left there:
    from there on, every weight would be NaN. Returns the outcome of each network; raises StorageError where the
    disk refuses.
    """
    recordings = [Recording(*pair) for pair in zip(training.networks, writers, strict=True)]
    running: Sequence[Recording] = recordings
    planned = np.unique(np.concatenate([writer.steps for writer in writers]))
    last = int(planned[-1])
    pace = Pace(training.step, save_seconds)
    limit = training.step
    while running := _record(running, pace, display):
        if stop or training.step >= last:
            _leave(running, Outcome.FINISHED if training.step >= last else Outcome.INTERRUPTED, pace)
            break
        if training.step >= limit:
            limit = next_planned(planned, training.step)
        training.advance(limit)
        if pace.tick_is_due(training.step):
            for recording in running:
                recording.writer.heartbeat(training.step, pace.rate)
            display.tick(training.step, pace.rate)
        if pace.save_is_due():
            for recording in running:
                recording.save()
    return [recording.outcome for recording in recordings]


def next_planned(steps: NDArray[np.int64], step: int) -> int:
    """Return the first planned step after `step`."""
    return int(steps[np.searchsorted(steps, step, side="right")])


def _record(recordings: Sequence[Recording], pace: Pace, display: Display) -> Sequence[Recording]:
    """Commit what is planned for this step and show the mean metrics; return the recordings that go on."""
    recorded = [(recording, metrics) for recording in recordings if (metrics := recording.record()) is not None]
    if not recorded:
        return recordings
    names = recorded[0][1]
    means = {name: sum(metrics[name] for _, metrics in recorded) / len(recorded) for name in names}
    display.checkpoint(recordings[0].network.step, means)
    diverged = [recording for recording, metrics in recorded if not math.isfinite(metrics["train_loss"])]
    _leave(diverged, Outcome.DIVERGED, pace)
    for recording in diverged:
        display.diverged(recording.writer.path, recording.network.step)
    return [recording for recording in recordings if recording not in diverged]


def _leave(recordings: Sequence[Recording], outcome: Outcome, pace: Pace) -> None:
    """Save all states, and only then say of any network that it has ended: a kill between leaves no doubt."""
    for recording in recordings:
        recording.save()
    for recording in recordings:
        recording.end(outcome, pace.rate)
