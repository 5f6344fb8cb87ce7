"""What keys and the mouse do to the state: each a pure function of a state that gives the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from grokscope.analysis.gates import MEASURES as OF_GATES
from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.app.state import ORDERS, State
from grokscope.app.views.help import LISTS, last_scroll
from grokscope.app.views.lists import rows_of, start_row
from grokscope.app.views.panels import panels
from grokscope.figures import WORDS, Scale, Scales
from grokscope.figures.colors import DARK, LIGHT
from grokscope.numbers import whole

Action = Callable[[State], State]

MEASURES = (*WORDS, *(name for name in LAYER_COLUMNS if name not in WORDS))
"""What the map of layers × steps can show, the usual ones first."""


def put_cursor(state: State, index: int) -> State:
    """The cursor on the checkpoint at an index, kept on the run; disarms playing and following."""
    return replace(state, index=max(0, min(index, state.last)), playing=False, following=False)


def move(state: State, by: int) -> State:
    """Some checkpoints on or back."""
    return put_cursor(state, state.index + by)


def first(state: State) -> State:
    """The first checkpoint."""
    return put_cursor(state, 0)


def last(state: State) -> State:
    """The last checkpoint; stays on the last one of a live run."""
    return replace(put_cursor(state, state.last), following=state.live)


def go_to_step(state: State, step: float) -> State:
    """The checkpoint nearest to a step, the earlier one of two that are as near."""
    return put_cursor(state, int(np.argmin(np.abs(state.timeline.steps - step))))


def event(state: State, direction: int) -> State:
    """The next or previous event, with what it is."""
    places = sorted({event.index for event in state.timeline.events})
    ahead = [i for i in places if (i > state.index if direction > 0 else i < state.index)]
    if not ahead:
        words = "no event further on" if direction > 0 else "no event further back"
        return replace(state, playing=False, following=False, notice=words)
    index = ahead[0] if direction > 0 else ahead[-1]
    words = "; ".join(event.text for event in state.timeline.events if event.index == index)
    return replace(put_cursor(state, index), notice=words)


def play(state: State) -> State:
    """Play through the checkpoints, from the first where the cursor is at the end; or pause."""
    playing = not state.playing
    again = playing and state.index >= state.last
    return replace(state, index=0 if again else state.index, playing=playing, following=False)


def tick(state: State) -> State:
    """One checkpoint on while playing; the last one ends it."""
    if not state.playing:
        return state
    ended = state.index >= state.last
    return replace(state, playing=not ended, index=state.index + (not ended))


def follow(state: State) -> State:
    """Stay on the last checkpoint of a live run, or stop staying there."""
    if not state.live:
        return replace(state, notice="this run is not being trained now")
    following = not state.following
    return replace(state, index=state.last if following else state.index, following=following, playing=False)


def select(state: State, by: int) -> State:
    """Another layer; in the list of traps, another trap, past its end the next layer's first."""
    if state.choosing:
        return replace(state, row=max(0, min(state.row + by, len(state.entries) - 1)))
    layer, trap, rows = state.layer, 0, state.rows
    row = rows.index(layer) if layer in rows else -1
    if state.listing and 0 <= state.trap + by < _num_traps(state, layer):
        trap = state.trap + by
    elif 0 <= (there := _clamped(row + by, state, by)) < len(rows):
        layer = rows[there]
        trap = max(0, _num_traps(state, layer) - 1) if state.listing and by < 0 else 0
    else:
        return state
    return replace(state, layer=layer, trap=trap, chosen=True)


def _clamped(row: int, state: State, by: int) -> int:
    """A jump of several layers ends at the first or the last one."""
    return max(0, min(row, len(state.rows) - 1)) if abs(by) > 1 else row


def order(state: State) -> State:
    """The layers in the next order: by depth, by a measure, or those that look worst first."""
    names = list(ORDERS)
    now = state.order or ("worst" if state.worst_first else "depth")
    name = names[(names.index(now) + 1) % len(names)]
    state = replace(state, order=name, notice=f"layers {ORDERS[name]}")
    return state if state.chosen or not state.rows else replace(state, layer=state.rows[0])


def keep(state: State, wanted: str) -> State:
    """Only the layers whose names match in the table, or all; one of them is selected."""
    state = replace(state, filter=wanted)
    return state if not state.rows or state.layer in state.rows else select_layer(state, state.rows[0])


def _num_traps(state: State, layer: int) -> int:
    spectrum = None if state.frame is None else state.frame.layers[layer].spectrum
    return 0 if spectrum is None else len(spectrum.traps)


def select_layer(state: State, layer: int) -> State:
    """A layer."""
    return replace(state, layer=layer, trap=0, chosen=True)


def select_trap(state: State, trap: int) -> State:
    """A trap of the list, which the keys act on from now."""
    return replace(state, trap=trap, pane=1)


def view(state: State, name: str) -> State:
    """Another of the views."""
    return replace(state, view=name, pane=0, full=False)


def pane(state: State, by: int) -> State:
    """The next or previous pane, for the keys to act on."""
    count = 2
    if state.view == "trajectories":
        count = len(panels(state))
    return replace(state, pane=(state.pane + by) % count)


def axis(state: State, which: str) -> State:
    """An axis of the pane made logarithmic, or linear again; of a layer profile, along which its layers stand, x
    has them worst first or by depth."""
    if state.timeline.single and state.view == "overview" and which == "x":
        name = "depth" if state.worst_first else "worst"
        return replace(state, order=name, notice=f"layers {ORDERS[name]}")
    if state.view in {"trajectories", "traps", "heatmap", "spectrogram"} and which == "x":
        return replace(state, steps_log=not state.steps_log)
    if state.view == "trajectories":
        return replace(state, values_log=not state.values_log)
    if state.view in {"traps", "heatmap", "spectrogram"}:
        return replace(state, notice="no y axis here: 2 shows the spectra, 4 the trajectories")
    if state.pane % 2:
        return replace(state, randomised_axes=_flipped(state.randomised_axes, which))
    return replace(state, esd_axes=_flipped(state.esd_axes, which))


def _flipped(scales: Scales, which: str) -> Scales:
    other: dict[Scale, Scale] = {"log": "linear", "linear": "log"}
    x, y = scales
    return (other[x], y) if which == "x" else (x, other[y])


ZOOM = 0.5
"""What is left of the shown stretch of time by one step of zooming in."""

CLOSEST = 1e-4
"""Of the whole stretch: as far as zooming goes."""


def zoom(state: State, by: int) -> State:
    """Half of the shown stretch of time, around the cursor, or twice as much of it; 0: all of it."""
    axis = state.step_axis
    low, high = state.shown_steps or (axis.low, axis.high)
    ends = [float(axis.position(max(x, axis.low))) for x in (low, high, state.step)]
    size = (ends[1] - ends[0]) * (ZOOM if by > 0 else 1 / ZOOM)
    if not by or size >= 1 or state.timeline.single:
        return replace(state, window=None)
    if size < CLOSEST:
        return state
    start = ends[2] - (ends[2] - ends[0]) / (ends[1] - ends[0]) * size
    start = min(max(start, 0.0), 1 - size)
    return replace(state, window=(axis.value(start), axis.value(start + size)))


def measure(state: State, by: int) -> State:
    """Another measure in the map of layers × steps, of gates only where there are any; in every other view that
    map, as it is."""
    if state.view != "heatmap":
        return view(state, "heatmap")
    names = [name for name in MEASURES if state.timeline.gated or name not in OF_GATES]
    place = names.index(state.measure) if state.measure in names else 0
    return replace(state, measure=names[(place + by) % len(names)])


def select_pane(state: State, pane: int) -> State:
    """A pane, which the keys act on from now."""
    return replace(state, pane=pane)


def put_in_pane(state: State, index: int, pane: int) -> State:
    """The cursor on a checkpoint, by a pane that the keys act on from now."""
    return select_pane(put_cursor(state, index), pane)


def put_cell(state: State, index: int, layer: int) -> State:
    """The cursor on a checkpoint and a layer."""
    return select_layer(put_cursor(state, index), layer)


def enter(state: State) -> State:
    """The pane that the keys act on fills the screen, or no longer; from the map of layers × steps to the spectrum
    of the layer in question; from the list of runs into one."""
    if state.choosing:
        return replace(state, wanted=state.entries[state.row].path) if state.entries else state
    if state.view == "heatmap":
        return view(state, "spectrum")
    return replace(state, full=not state.full and state.view != "traps")


def search(state: State) -> State:
    """D(xmin) over the ESD, or the fitted line again."""
    return replace(state, search=not state.search)


def mark(state: State) -> State:
    """The checkpoint marked, to compare others with it; on a marked one, the mark taken away."""
    if state.frame is None:
        return state
    if state.mark == state.index:
        return replace(state, mark=None, notice="mark taken away")
    return replace(state, mark=state.index, notice=f"step {whole(state.step)} marked: move to compare")


def other_run(state: State) -> State:
    """The next run in front, at the same step and the layer of the same name; where none is, at its place."""
    if len(state.runs) < 2:
        return replace(state, notice="one run only; `grokscope view a.h5 b.h5` shows two")
    step, front = state.step, (state.front + 1) % len(state.runs)
    run, name = state.runs[front], (*state.timeline.layers, "")[state.layer]
    layer = run.layers.index(name) if name in run.layers else min(state.layer, len(run.layers) - 1)
    state = replace(state, front=front, index=run.nearest(step), mark=None, layer=max(0, layer), liveness=None)
    return replace(state, analysing=None, analysis_note="", problem="", following=False, playing=False)


def theme(state: State) -> State:
    """Dark or light."""
    return replace(state, palette=LIGHT if state.palette.dark else DARK)


def leave(state: State) -> State:
    """One layer out: the other panes back, stop playing, drop the mark, leave D(xmin), end explaining, have all
    layers, return to the overview, and from there to the list of runs."""
    if state.full:
        return replace(state, full=False)
    if state.playing:
        return replace(state, playing=False)
    if state.mark is not None:
        return replace(state, mark=None)
    if state.search:
        return replace(state, search=False)
    if state.explaining:
        return explain(state)
    if state.filter:
        return keep(state, "")
    return view(state, "runs" if state.folder and state.view == "overview" else "overview")


def heard(state: State) -> State:
    """The notice has been read."""
    return replace(state, notice="") if state.notice else state


def sheet(state: State, name: str) -> State:
    """A sheet over the panes, or away with it; a list is opened at the cursor."""
    state = replace(state, sheet="" if state.sheet == name else name, scroll=0)
    return replace(state, scroll=start_row(state)) if state.sheet in LISTS else state


def go_to_row(state: State) -> State:
    """From a list to the checkpoint of its chosen row; any other sheet away."""
    rows = rows_of(state) if state.sheet in LISTS else []
    state = replace(state, sheet="")
    return put_cursor(state, rows[state.scroll][0]) if rows else state


def explain(state: State) -> State:
    """A line that says what the chosen column or pane is, or away with it."""
    return replace(state, explaining=not state.explaining)


def column(state: State, by: int) -> State:
    """Another column of the table, which is explained."""
    return replace(state, explaining=True, column=state.column + by if state.explaining else state.column)


def scroll(state: State, by: int) -> State:
    """Rows on or back in a sheet; its last rows are its end."""
    return replace(state, scroll=max(0, min(state.scroll + by, last_scroll(state))))


def ask(state: State, what: str) -> State:
    """A question, to be answered in the last line."""
    typed = state.filter if what == "layers" else ""
    return replace(state, prompt=what, typed=typed) if len(state.timeline.steps) else state
