"""The run through time, on which a click or a drag puts the cursor."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place
from grokscope.app.plots.timeline import Cursors, frame, timeline
from grokscope.app.state import State
from grokscope.app.views.time import nearest_to, shown_axis


def draw_timeline(state: State, width: int, height: int) -> Text:
    """The front run, the others' accuracies, and the cursors."""
    cursors = Cursors(state.index, state.mark)
    return timeline(
        state.timeline, cursors, width, height, state.palette, axis=shown_axis(state), others=state.others
    )


def hit_timeline(state: State, place: Place) -> Action | None:
    """The checkpoint nearest to a column."""
    if not len(state.timeline.steps):
        return None
    plot = frame(shown_axis(state), place.width, place.height, state.palette)
    return partial(actions.put_cursor, index=nearest_to(state, plot, place.column))
