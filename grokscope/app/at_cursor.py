"""The state at a checkpoint: its frame, what it is compared with, and the runs around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grokscope.app.session import Session
from grokscope.app.state import Comparison, State
from grokscope.numbers import whole


def at_cursor(state: State, sessions: Sequence[Session], index: int) -> State:
    """The state with the frames and timelines at a checkpoint of the first run; the other runs go along."""
    first, *rest = sessions
    others = tuple(session.timeline() for session in rest)
    state = replace(state, timeline=first.timeline(), frame=first.frame(index), others=others)
    return replace(state, comparison=comparison(state, sessions))


def comparison(state: State, sessions: Sequence[Session]) -> Comparison | None:
    """The marked checkpoint, else the second run at the same step; None where there is neither."""
    if state.frame is None:
        return None
    if state.mark is not None:
        return _marked(state, state.mark, sessions[0])
    if len(sessions) < 2:
        return None
    other = sessions[1]
    frame = other.frame(other.timeline().nearest(state.frame.step)) if other.num_checkpoints else None
    return None if frame is None else Comparison(f"{other.name} at {whole(frame.step)}", frame)


def _marked(state: State, mark: int, session: Session) -> Comparison | None:
    """The marked checkpoint, read once; None where the cursor stands on it."""
    if mark == state.index:
        return None
    kept = state.comparison
    if kept is not None and kept.frame.index == mark and kept.frame.run == session.name:
        return kept
    frame = session.frame(mark)
    return None if frame is None else Comparison(f"step {whole(frame.step)}", frame)
