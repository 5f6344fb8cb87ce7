"""The app: keys, mouse and news become actions on one frozen State, and one State is drawn at a time."""

from __future__ import annotations

import asyncio
import select
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static

from grokscope.app import actions, keys
from grokscope.app.actions import Action
from grokscope.app.background import UNREADABLE, Analysed, Background, Computed, Looked
from grokscope.app.layout import layout, too_small
from grokscope.app.session import Session, at_cursor, timelines
from grokscope.app.state import State
from grokscope.app.theme import DARK, LIGHT, PALETTES, textual_theme
from grokscope.app.views.header import footer, has_status, header, status
from grokscope.app.views.spectrum import draw_esd, draw_randomized
from grokscope.app.views.table import hit_table, table
from grokscope.app.views.timeline import draw_timeline, hit_timeline
from grokscope.app.views.trajectories import draw_trajectories
from grokscope.app.views.traps import draw_traps, hit_traps
from grokscope.app.widgets import Act, Pane, TimelinePane
from grokscope.trajectory import Place

if TYPE_CHECKING:
    from textual.command import Provider

PLAY_SECONDS = 0.25
HANGUP_SECONDS = 1.0
NOTICE_SECONDS = 3.0


def _commands() -> type[Provider]:
    from grokscope.app.screens import Commands

    return Commands


class MainScreen(Screen[None], inherit_bindings=False):
    """The screen of the panes, on which tab is one of the app's keys, heard in its turn."""


class Microscope(App[str]):
    """Scrub through one run, or several on one timeline; returns the Python that `d` asked for."""

    CSS_PATH = "app.tcss"
    TITLE = "grokscope"
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings())
    COMMANDS: ClassVar[set[Any]] = {_commands}

    def __init__(
        self, sessions: Sequence[Session], *, theme: str = "dark", analysis: bool = True, watching: bool = True
    ) -> None:
        super().__init__()
        self.sessions, self.analysis, self.watching = tuple(sessions), analysis, watching
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        palette = LIGHT if theme == "light" else DARK
        self.theme = palette.name
        self.state = at_cursor(actions.last(State(timelines(self.sessions), palette=palette)), self.sessions)
        places = [Place.of(session.run) for session in self.sessions]
        self.background = Background(places, self.post_message, lambda: (self.state.front, self.state.index))
        self._read = self._place()
        self._shape: tuple[object, ...] = ()
        self._waiting = False
        self._playing: Timer | None = None

    @property
    def session(self) -> Session:
        """The run in front."""
        return self.sessions[self.state.front]

    # One way in: an action on the state; and one way out: the state, drawn once for all that came at once.

    def act(self, action: Action) -> None:
        """Do an action, and draw what came of it once whatever else is waiting has been heard."""
        self.put(action(self.state))

    def put(self, state: State) -> None:
        """Replace the state."""
        if state is self.state:
            return
        self.state = state
        if not self._waiting and self.is_running:
            self._waiting = True
            self.call_later(self._draw)

    def action_act(self, name: str, *arguments: Any) -> None:
        """A key whose action is one of `actions`."""
        self.act(lambda state: getattr(actions, name)(state, *arguments))

    def on_act(self, message: Act) -> None:
        """The mouse."""
        self.act(message.action)

    def _place(self) -> tuple[object, ...]:
        """What decides which frames are read."""
        return self.state.front, self.state.index, self.state.mark, self.state.runs

    def _draw(self) -> None:
        self._waiting = False
        if not self.is_running or not self.screen_stack:
            return
        if self._place() != self._read:
            self.state = at_cursor(self.state, self.sessions)
            self._read = self._place()
        self._say_and_play()
        state = self.state
        if self.theme != state.palette.name:
            self.theme = state.palette.name
        compared = state.comparison is not None
        shape = (self.size, state.view, compared, has_status(state), state.pane, len(state.timeline.layers))
        if shape != self._shape:
            self._shape = shape
            self._lay_out()
        for pane in self.screen_stack[0].query(Pane):
            if pane.display and (not pane.views or state.view in pane.views):
                pane.show(state)
        if state.view == "traps" and state.layer == 0 and state.frame is not None:
            self.background.artist.want((state.front, state.index, state.layer))

    def _say_and_play(self) -> None:
        if self.state.notice:
            self.notify(self.state.notice, timeout=NOTICE_SECONDS, markup=False)
            self.state = actions.heard(self.state)
        if self.state.playing and self._playing is None:
            self._playing = self.set_interval(PLAY_SECONDS, partial(self.act, actions.tick))
        elif not self.state.playing and self._playing is not None:
            self._playing.stop()
            self._playing = None

    # The screen.

    def get_default_screen(self) -> MainScreen:
        """The screen that the panes are on."""
        return MainScreen(id="_default")

    def compose(self) -> ComposeResult:
        """One screen: header, status, timeline, the four views, footer."""
        state = self.state
        yield Pane(header, state, "header")
        yield Pane(status, state, "status")
        yield TimelinePane(draw_timeline, state, "timeline", hit=hit_timeline)
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                yield Pane(table, state, "table", "overview", hit=hit_table)
                with Horizontal(id="spectra"):
                    yield Pane(draw_esd, state, "overview-esd", "overview")
                    yield Pane(draw_randomized, state, "overview-randomized", "overview")
            with Vertical(id="spectrum"):
                yield Pane(draw_esd, state, "spectrum-esd", "spectrum")
                yield Pane(draw_randomized, state, "spectrum-randomized", "spectrum")
            yield Pane(draw_traps, state, "traps", "traps", hit=hit_traps)
            yield Pane(draw_trajectories, state, "trajectories", "trajectories")
        yield Pane(footer, state, "footer")
        yield Static(id="too-small", markup=False)

    def on_mount(self) -> None:
        """Draw, and start the threads once that is on screen."""
        self._draw()
        self.call_after_refresh(self.background.start, watching=self.watching, analysis=self.analysis)
        if not self.is_headless:
            self.set_interval(HANGUP_SECONDS, end_with_terminal)

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new size, once the screen has it too."""
        self.call_next(self._draw)

    def on_unmount(self) -> None:
        """End the threads."""
        self.background.end()

    def _lay_out(self) -> None:
        width, height = self.size
        screen, state = self.screen_stack[0], self.state
        words = too_small(width, height)
        sentence = screen.query_one("#too-small", Static)
        sentence.update(words)
        sentence.display = bool(words)
        rows = layout(
            width, height, state.view, layers=len(state.timeline.layers), compared=state.comparison is not None,
            status=has_status(state), runs=len(self.sessions),
        )  # fmt: skip
        for name, size in (
            ("header", 1),
            ("status", rows.status),
            ("timeline", rows.timeline),
            ("table", rows.table),
        ):
            pane = screen.query_one(f"#{name}")
            pane.display = size > 0 and not (words and name != "table")
            pane.styles.height = max(1, size)
        for name in ("views", "footer"):
            screen.query_one(f"#{name}").display = not words
        one = state.pane % 2
        screen.query_one("#overview-esd").display = rows.beside or one == 0
        screen.query_one("#overview-randomized").display = rows.beside or one == 1
        screen.query_one(ContentSwitcher).current = state.view

    # News from the threads.

    def on_looked(self, message: Looked) -> None:
        """A run file was looked at."""
        self.act(partial(actions.looked, run=message.run, liveness=message.liveness, problem=message.problem))
        if message.changed:
            self._refresh(message.run)

    def on_analysed(self, message: Analysed) -> None:
        """More of a run is measured."""
        self.act(partial(actions.analysed, run=message.run, progress=message.progress, note=message.note))
        self._refresh(message.run)

    def on_computed(self, message: Computed) -> None:
        """The picture of the traps view is there."""
        self.act(partial(actions.computed, direction=message.direction))

    def _refresh(self, run: int) -> None:
        """Take in what is new of a run."""
        try:
            if self.sessions[run].refresh():
                self.act(partial(actions.grown, runs=timelines(self.sessions)))
        except UNREADABLE:
            pass  # gone or being replaced: the next look tells

    async def settled(self) -> None:
        """Wait until what the screen shows is computed."""
        await asyncio.to_thread(self.background.artist.idle.wait)

    # What keys do beside the state.

    def action_go_to(self) -> None:
        """Ask for a step."""
        from grokscope.app.screens import GoToScreen

        def go(step: float | None) -> None:
            if step is not None:
                self.act(partial(actions.go_to_step, step=step))

        if len(self.state.timeline.steps):
            self.push_screen(GoToScreen(int(self.state.timeline.steps[-1])), go)

    def action_help(self) -> None:
        """Show the table of keys."""
        from grokscope.app.screens import Sheet
        from grokscope.app.views.help import help_text

        self.push_screen(Sheet(partial(help_text, self.state.palette), "question_mark"))

    def action_why(self) -> None:
        """Show why the weights say what they say."""
        from grokscope.app.screens import Sheet
        from grokscope.app.views.help import why_text

        if self.state.frame is not None:
            self.push_screen(Sheet(partial(why_text, self.state.palette, self.state.frame), "w"))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG."""
        from grokscope.app.screenshot import without_leading_spaces

        return without_leading_spaces(super().export_screenshot(title=title, simplify=simplify))

    def action_copy(self) -> None:
        """Copy the selected layer's row, tab separated with its titles."""
        from grokscope.app.export import copy_within_tmux, row_as_text

        if self.state.selected is not None:
            row = row_as_text(self.state)
            self.copy_to_clipboard(row)
            copy_within_tmux(row)
            self.notify(f"copied the row of {self.state.selected.name}", timeout=2, markup=False)

    def action_export(self) -> None:
        """Write the screen as SVG and the view's numbers as CSV."""
        from grokscope.app.export import export
        from grokscope.errors import GrokscopeError

        try:
            paths = export(self.state, self.session.run.path, self.export_screenshot(title=self.session.name))
        except (OSError, GrokscopeError) as error:
            self.notify(f"not written: {error}", severity="error", markup=False)
            return
        words = f"wrote {paths[0].name} and {paths[1].suffix[1:].upper()} into {paths[0].parent}"
        self.notify(words, timeout=5, markup=False)

    def action_python(self) -> None:
        """Quit, and print the Python that rebuilds this view."""
        from grokscope.app.export import python_for

        self.exit(python_for(self.state, self.session.run))


def end_with_terminal() -> None:
    """End as by a hangup where the terminal is gone and no hangup came; reading would go on forever."""
    terminal = select.poll()
    terminal.register(sys.__stdin__ or 0, 0)  # POLLHUP is always told
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in terminal.poll(0)):
        signal.raise_signal(signal.SIGHUP)
