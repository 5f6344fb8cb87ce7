"""A run and its spectra as the app sees them, and the state at a checkpoint; no file stays open in between."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from grokscope.analysis.evidence import infer_all
from grokscope.analysis.spectra_file import Spectra
from grokscope.analysis.timeline import Timeline, glance, read_timeline
from grokscope.app.frame import Frame, Layer
from grokscope.app.layer_names import telling
from grokscope.app.state import Comparison, State
from grokscope.experiments import experiment_of, same_experiment
from grokscope.numbers import whole
from grokscope.phases import Inferred
from grokscope.runfile import LayerSpec
from grokscope.spectra.layer import LayerSpectrum
from grokscope.trajectory import Trajectory, find_damaged, open_trajectory

MANY = 2_000
"""Layers of all checkpoints together, from which on reading what is measured takes long enough to be noticed."""

UNREAD = Inferred("unknown", ())


class Session:
    """One run as it was when last looked at, read a checkpoint at a time; only columns of numbers are kept.

    It is replaced, never changed: `again` gives what there is now. Without spectra it is a first glance, which has
    what the run itself says. Of a checkpoint that is damaged nothing is shown but that.
    """

    def __init__(
        self,
        run: Trajectory,
        spectra: Spectra | None = None,
        inferred: Sequence[Inferred] = (),
        damaged: frozenset[int] = frozenset(),  # steps
    ) -> None:
        self.run, self.spectra, self._inferred, self._damaged = run, spectra, inferred, damaged
        self.timeline: Timeline = (
            read_timeline(run, spectra, inferred) if spectra is not None and inferred else glance(run, spectra)
        )
        self.name = self.timeline.run

    @classmethod
    def open(cls, path: str | Path) -> Session:
        """Open and read the run, folder or model at a path; raises BadRunFile or UsageError where it is none."""
        return cls.whole(open_trajectory(path))

    @classmethod
    def whole(cls, run: Trajectory, doubted: Iterable[int] = ()) -> Session:
        """A run with all that is measured of it; the checkpoints `doubted` are verified."""
        return list(cls(run).again(doubted))[-1]

    @classmethod
    def quick(cls, run: Trajectory) -> Session:
        """A run with all that is measured of it, or a first glance where that would take long."""
        return cls(run) if run.num_checkpoints * len(run.layers) >= MANY else cls.whole(run)

    @property
    def glanced(self) -> bool:
        """Whether what is measured is still to be read."""
        return self.spectra is None

    @property
    def damaged(self) -> tuple[int, ...]:
        """The checkpoints that were found damaged."""
        return tuple(index for index, step in enumerate(self.timeline.steps.tolist()) if step in self._damaged)

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there are to see."""
        return len(self.timeline.steps)

    def again(self, doubted: Iterable[int] = ()) -> Iterator[Session]:
        """What there is now, in one or two steps; nothing where nothing is new. May run in another thread.

        The checkpoints `doubted` are verified.
        """
        run, spectra = copy.copy(self.run), copy.copy(self.spectra)
        news = run.refresh()
        known = self._damaged if run.uuid == self.run.uuid else frozenset[int]()
        damaged = known | {int(run.steps[index]) for index in find_damaged(run, doubted)}
        news = news or damaged != self._damaged
        left_out = {index: "damaged" for index, step in enumerate(run.steps.tolist()) if step in damaged}
        if spectra is None:
            spectra, news = Spectra(run).leave_out(left_out), True
            if run.num_checkpoints * len(run.layers) >= MANY:
                yield Session(run, spectra, damaged=damaged)
        else:
            spectra.run = run
            news = spectra.refresh() or news
            spectra.leave_out(left_out)
        if news:
            yield Session(run, spectra, infer_all(spectra), damaged)

    def frame(self, index: int) -> Frame | None:
        """The checkpoint at an index, or None where the run has none."""
        count = self.num_checkpoints
        if not 0 <= index < count:
            return None
        timeline = self.timeline
        damaged = int(timeline.steps[index]) in self._damaged
        inferred = self._inferred[index] if self._inferred and not damaged else UNREAD
        short = telling(tuple(layer.name for layer in self.run.layers))
        layers = tuple(self._layer(index, *one, damaged) for one in zip(self.run.layers, short, strict=True))
        metrics = {name: float(values[index]) for name, values in timeline.metrics.items()}
        return Frame(
            self.name, index, count, int(timeline.steps[index]), layers, metrics,
            timeline.observed[index], inferred.label, inferred.reasons, damaged,
        )  # fmt: skip

    def _layer(self, index: int, layer: LayerSpec, short: str, damaged: bool) -> Layer:
        read = partial(self._spectrum, index, layer.name)
        return Layer(layer.name, layer.shape, read, self.glanced, layer.note, damaged, short)

    def _spectrum(self, index: int, layer: str) -> LayerSpectrum | None:
        """A layer's spectrum; None as well where the spectra file, which may be deleted at any time, just was."""
        try:
            return None if self.spectra is None else self.spectra.layer(index, layer)
        except (OSError, KeyError):
            return None


def timelines(sessions: Sequence[Session]) -> tuple[Timeline, ...]:
    """All runs through time; where none is open, one without a checkpoint."""
    return tuple(session.timeline for session in sessions) or (Timeline("", np.empty(0, dtype=np.int64), 0),)


def numbered(sessions: Sequence[Session]) -> tuple[int, ...]:
    """The number of each run's experiment, equal where only their seeds differ."""
    found = [experiment_of(session.run) for session in sessions]
    return tuple(
        next((first for first in range(place) if same_experiment(found[first], one)), place)
        for place, one in enumerate(found)
    )


def at_cursor(state: State, sessions: Sequence[Session]) -> State:
    """The state with the frame under its cursor, and what that is compared with."""
    if not sessions:
        return state
    state = replace(state, frame=sessions[state.front].frame(state.index))
    if state.rows and state.worst_first and not state.chosen:  # what is worst changes while layers are measured
        state = replace(state, layer=state.rows[0])
    return replace(state, comparison=_comparison(state, sessions))


def _comparison(state: State, sessions: Sequence[Session]) -> Comparison | None:
    """The marked checkpoint, else the next run at the same step; None where there is neither."""
    if state.frame is None:
        return None
    if state.mark is not None:
        frame = sessions[state.front].frame(state.mark) if state.mark != state.index else None
        return None if frame is None else Comparison(f"step {whole(frame.step)}", frame)
    if len(sessions) < 2:
        return None
    other = sessions[(state.front + 1) % len(sessions)]
    frame = other.frame(other.timeline.nearest(state.frame.step))
    return None if frame is None else Comparison(f"{other.name} at {whole(frame.step)}", frame)
