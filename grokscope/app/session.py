"""A run and its spectra as the app sees them, and the state at a checkpoint; no file stays open in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from grokscope.analysis.evidence import infer_all
from grokscope.analysis.spectra_file import Spectra
from grokscope.analysis.timeline import Timeline, read_timeline
from grokscope.app.frame import Frame, Layer
from grokscope.app.state import Comparison, State
from grokscope.names import safe_name
from grokscope.numbers import whole
from grokscope.phases import Inferred
from grokscope.spectra.layer import LayerSpectrum
from grokscope.trajectory import Trajectory, open_trajectory


class Session:
    """One run, read a checkpoint at a time; only columns of numbers are kept in memory.

    Every call opens, reads and closes. `refresh` looks for new checkpoints and new spectra.
    """

    def __init__(self, run: Trajectory) -> None:
        """Wrap an opened run."""
        self.run = run
        self.spectra = Spectra(run)
        self.name = safe_name(run.path.name)
        self._timeline: Timeline | None = None
        self._inferred: list[Inferred] = []

    @classmethod
    def open(cls, path: str | Path) -> Session:
        """Open the run, folder or model at a path; raises BadRunFile or UsageError where it is none."""
        return cls(open_trajectory(path))

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there are to see."""
        return len(self.spectra.done)

    def refresh(self) -> bool:
        """Look again; return whether there is anything new."""
        checkpoints = self.run.refresh()
        spectra = self.spectra.refresh()
        if checkpoints or spectra:
            self._forget()
        return checkpoints or spectra

    def frame(self, index: int) -> Frame | None:
        """The checkpoint at an index, or None where the run has none."""
        count = self.num_checkpoints
        if not 0 <= index < count:
            return None
        timeline, inferred = self.timeline(), self.inferred(index)
        layers = tuple(
            Layer(safe_name(layer.name), layer.shape, partial(self._spectrum, index, layer.name), layer.note)
            for layer in self.run.layers
        )
        metrics = {name: float(values[index]) for name, values in timeline.metrics.items()}
        return Frame(
            self.name, index, count, int(timeline.steps[index]), layers, metrics,
            timeline.observed[index], inferred.label, inferred.reasons,
        )  # fmt: skip

    def _spectrum(self, index: int, layer: str) -> LayerSpectrum | None:
        """A layer's spectrum; None as well where the spectra file, which may be deleted at any time, just was."""
        try:
            return self.spectra.layer(index, layer)
        except (OSError, KeyError):
            return None

    def timeline(self) -> Timeline:
        """The whole run through time; measures are read when they are first looked at."""
        if self._timeline is None:
            self._timeline = read_timeline(self.run, self.spectra, self._all_inferred())
        return self._timeline

    def inferred(self, index: int) -> Inferred:
        """The phase that the weights tell at an index, from the checkpoints up to it."""
        return self._all_inferred()[index]

    def _all_inferred(self) -> list[Inferred]:
        if not self._inferred:
            self._inferred = infer_all(self.spectra)
        return self._inferred

    def _forget(self) -> None:
        self._timeline = None
        self._inferred = []


def timelines(sessions: Sequence[Session]) -> tuple[Timeline, ...]:
    """All runs through time."""
    return tuple(session.timeline() for session in sessions)


def at_cursor(state: State, sessions: Sequence[Session]) -> State:
    """The state with the frame under its cursor, and what that is compared with."""
    state = replace(state, frame=sessions[state.front].frame(state.index))
    if state.worst_first and not state.chosen:  # what is worst changes while layers are being measured
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
    frame = other.frame(other.timeline().nearest(state.frame.step))
    return None if frame is None else Comparison(f"{other.name} at {whole(frame.step)}", frame)
