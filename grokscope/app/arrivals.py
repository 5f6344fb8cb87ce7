"""What news does to the state: each a pure function of a state that gives the next one."""

from __future__ import annotations

from dataclasses import replace

from grokscope.analysis.timeline import Timeline
from grokscope.app.state import Direction, Entry, State
from grokscope.runfile.liveness import Liveness


def listed(state: State, entries: tuple[Entry, ...]) -> State:
    """The runs of the folder; the chosen one stays chosen."""
    chosen = state.entries[state.row].path if state.entries else None
    places = [place for place, entry in enumerate(entries) if entry.path == chosen]
    return replace(state, entries=entries, row=places[0] if places else max(0, min(state.row, len(entries) - 1)))


def looked(state: State, run: int, liveness: Liveness | None, problem: str) -> State:
    """How a run's training stands; a live run is followed from the first look on if the cursor is at its end."""
    if run != state.front:
        return state
    if liveness is None:
        return replace(state, problem=problem)
    first_look = state.liveness is None
    state = replace(state, liveness=liveness, problem="")
    arm = first_look and state.index == state.last
    return replace(state, following=state.live and (state.following or arm))


def analysed(state: State, run: int, progress: tuple[int, int] | None, note: str) -> State:
    """How far the analysis of a run is."""
    return replace(state, analysing=progress, analysis_note=note) if run == state.front else state


def grown(state: State, runs: tuple[Timeline, ...]) -> State:
    """The runs read anew; a followed one moves the cursor to its last checkpoint."""
    state = replace(state, runs=runs)
    return replace(state, index=state.last if state.following else min(state.index, state.last))


def computed(state: State, direction: Direction) -> State:
    """A layer's leading direction, for the picture in the traps view."""
    return state if state.direction is direction else replace(state, direction=direction)


def warned(state: State, run: int, caveats: tuple[str, ...]) -> State:
    """What every verdict on a run has to be read with."""
    return replace(state, caveats={**state.caveats, run: caveats})
