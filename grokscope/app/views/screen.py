"""What is where: the panes of a state on a screen of a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.layout import Place, layout, too_small
from grokscope.app.plots.canvas import Canvas
from grokscope.app.state import State
from grokscope.app.views.footer import footer
from grokscope.app.views.header import has_status, header, status
from grokscope.app.views.help import draw_sheet, sheet_size
from grokscope.app.views.maps import draw_heatmap, draw_spectrogram, hit_heatmap, hit_spectrogram
from grokscope.app.views.profile import draw_profile, hit_profile
from grokscope.app.views.runs import draw_runs, hit_runs
from grokscope.app.views.spectrum import draw_esd, draw_randomised
from grokscope.app.views.table import hit_table, table
from grokscope.app.views.timeline import draw_timeline, hit_timeline
from grokscope.app.views.trajectories import draw_trajectories, hit_trajectories
from grokscope.app.views.traps import draw_traps, hit_traps

Draw = Callable[[State, int, int], Text]
Hit = Callable[[State, Place], Action | None]


@dataclass(frozen=True)
class Pane:
    """A rectangle of the screen, what is drawn in it, and what a click (or a drag) and the wheel do there."""

    name: str
    column: int
    row: int
    width: int
    height: int
    draw: Draw
    hit: Hit | None = None
    drags: bool = False
    wheel: Callable[..., State] | None = None

    def covers(self, column: int, row: int) -> bool:
        """Whether a cell of the screen lies in it."""
        return 0 <= column - self.column < self.width and 0 <= row - self.row < self.height


def panes(state: State, width: int, height: int) -> tuple[Pane, ...]:
    """The panes from top to bottom, an open sheet over them; a sentence alone where there is no room for any."""
    if too_small(width, height):
        return (Pane("too small", 0, 0, width, height, _too_small),)
    if state.choosing:
        found = [Pane("runs", 0, 0, width, height - 1, draw_runs, hit_runs, wheel=actions.select)]
        return _framed(state, found, width, height)
    rows = layout(
        width, height, state.view, layers=len(state.timeline.layers), compared=state.comparison is not None,
        status=has_status(state), runs=len(state.runs),
    )  # fmt: skip
    top = 1 + rows.status
    found = [Pane("header", 0, 0, width, 1, header)]
    if rows.status:
        found.append(Pane("status", 0, 1, width, 1, status))
    if state.full:
        found.append(_alone(state, top, width, height - 1 - top))
    else:
        found.append(_over_time_or_depth(state, top, width, rows.timeline))
        top += rows.timeline
        found += _view(state, width, top, height - 1 - top, rows.table, beside=rows.beside)
    return _framed(state, found, width, height)


def _framed(state: State, found: list[Pane], width: int, height: int) -> tuple[Pane, ...]:
    """The panes with the last line below them, and the open sheet over them."""
    found.append(Pane("footer", 0, height - 1, width, 1, footer))
    if state.sheet:
        across, down = sheet_size(state, width, height)
        column, row = (width - across) // 2, (height - down) // 2
        found.append(Pane("sheet", column, row, across, down, draw_sheet, wheel=actions.scroll))
    return tuple(found)


def _alone(state: State, top: int, width: int, height: int) -> Pane:
    """The pane that the keys act on, on the whole screen."""
    if state.view == "trajectories":
        return Pane("trajectories", 0, top, width, height, draw_trajectories, hit_trajectories)
    if state.view == "spectrogram":
        return Pane("spectrogram", 0, top, width, height, draw_spectrogram, hit_spectrogram, wheel=actions.move)
    name, draw = ("randomised", draw_randomised) if state.pane % 2 else ("esd", draw_esd)
    return Pane(name, 0, top, width, height, draw, wheel=actions.move)


def _over_time_or_depth(state: State, top: int, width: int, height: int) -> Pane:
    """The run through time; a model without a history over its depth."""
    if state.timeline.single:
        return Pane("profile", 0, top, width, height, draw_profile, hit_profile, wheel=actions.select)
    return Pane("timeline", 0, top, width, height, draw_timeline, hit_timeline, True, actions.move)


def _view(state: State, width: int, top: int, height: int, table_rows: int, *, beside: bool) -> list[Pane]:
    if state.view == "traps":
        return [Pane("traps", 0, top, width, height, draw_traps, hit_traps, wheel=actions.select)]
    if state.view == "trajectories":
        return [Pane("trajectories", 0, top, width, height, draw_trajectories, hit_trajectories)]
    if state.view == "heatmap":
        return [Pane("heatmap", 0, top, width, height, draw_heatmap, hit_heatmap, wheel=actions.select)]
    if state.view == "spectrogram":
        return [Pane("spectrogram", 0, top, width, height, draw_spectrogram, hit_spectrogram, wheel=actions.move)]
    if state.view == "spectrum":
        half = height // 2
        return [
            Pane("esd", 0, top, width, half, draw_esd),
            Pane("randomised", 0, top + half, width, height - half, draw_randomised),
        ]
    found = [Pane("table", 0, top, width, table_rows, table, hit_table, wheel=actions.select)]
    top, height, left = top + table_rows, height - table_rows, (width - 1) // 2
    if beside:
        found.append(Pane("esd", 0, top, left, height, draw_esd))
        found.append(Pane("randomised", left + 1, top, width - left - 1, height, draw_randomised))
    elif state.pane % 2:
        found.append(Pane("randomised", 1, top, width - 1, height, draw_randomised))
    else:
        found.append(Pane("esd", 0, top, width, height, draw_esd))
    return found


def _too_small(state: State, width: int, height: int) -> Text:
    import textwrap

    canvas = Canvas(width, height)
    for row, line in enumerate(textwrap.wrap(too_small(width, height), max(1, width - 2))):
        canvas.put(row, 1, line, state.palette.text)
    return canvas.text()
