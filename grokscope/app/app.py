"""The app: keys, mouse and news become actions on one frozen State, and one State is drawn at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from grokscope.app import actions, arrivals, prompt
from grokscope.app.actions import Action
from grokscope.app.background import Background
from grokscope.app.catalog import Listed, Lister
from grokscope.app.glass import Act, Glass
from grokscope.app.keys import IN_THE_LIST, SHEET_KEYS, Key, by_name
from grokscope.app.news import Analysed, Computed, Damaged, Looked, Reread, Warned
from grokscope.app.process import collect_garbage, end_with_terminal, stop_job
from grokscope.app.session import Session, at_cursor, numbered, timelines
from grokscope.app.state import State
from grokscope.app.theme import PALETTES, textual_theme
from grokscope.app.views.trap_pictures import picture_side
from grokscope.errors import GrokscopeError
from grokscope.figures.colors import DARK, LIGHT
from grokscope.names import safe_text
from grokscope.trajectory import open_trajectory
from grokscope.trajectory.lineage import with_parent

if TYPE_CHECKING:
    from textual.command import Provider

PLAY_SECONDS = 0.25
PICTURE_SECONDS = 0.03
"""How long a frame waits for its picture."""

HANGUP_SECONDS = 1.0


def _commands() -> type[Provider]:
    from grokscope.app.commands import Commands

    return Commands


class MainScreen(Screen[None], inherit_bindings=False):
    """The screen of the panes, on which every key is one of the app's, heard in its turn."""

    def __init__(self, state: State, press: Callable[[events.Key], Awaitable[None]]) -> None:
        super().__init__(id="_default")
        self.glass, self.press = Glass(state), press

    def compose(self) -> ComposeResult:
        """One widget, as large as the screen."""
        yield self.glass

    async def on_key(self, event: events.Key) -> None:
        """Do what the key does."""
        await self.press(event)


class Microscope(App[str]):
    """Scrub through one run, or several on one timeline; returns the Python that `d` asked for."""

    CSS_PATH = "app.tcss"
    TITLE = "grokscope"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit", "quit", show=False, priority=True)]
    COMMANDS: ClassVar[set[Any]] = {_commands}

    def __init__(
        self,
        sessions: Sequence[Session],
        *,
        folder: Path | None = None,
        theme: str = "dark",
        analysis: bool = True,
        watching: bool = True,
    ) -> None:
        super().__init__()
        self.sessions, self.analysis, self.watching = list(sessions), analysis, watching
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        palette = LIGHT if theme == "light" else DARK
        self.theme = palette.name
        self.lister = None if folder is None else Lister(folder, self.post_message)
        self.state = self._opened(State((), palette=palette))
        if self.lister is not None:
            self.state = replace(self.state, view="runs", folder=str(folder), entries=self.lister.entries)
        self.background = self._background()
        self.main = MainScreen(self.state, self.press)
        self._keys = by_name()
        self._read = self._place()
        self._waiting = False
        self._undrawn_since = 0.0
        self._playing: Timer | None = None

    def _opened(self, state: State) -> State:
        """The sessions' runs in place of those before, at the last checkpoint."""
        kept = ("palette", "folder", "entries", "row")
        start = State(
            timelines(self.sessions), numbered(self.sessions), **{name: getattr(state, name) for name in kept}
        )
        return at_cursor(actions.last(start), self.sessions)

    def _background(self) -> Background:
        return Background(self.sessions, self.post_message, lambda: (self.state.front, self.state.index))

    @property
    def session(self) -> Session:
        """The run in front."""
        return self.sessions[self.state.front]

    def get_default_screen(self) -> MainScreen:
        """The screen that the panes are on."""
        return self.main

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

    async def press(self, event: events.Key) -> None:
        """A key, for the question that is asked, the sheet that is open, or the table of keys."""
        self.act(actions.heard)
        key = self._keys.get(event.key)
        if self.state.prompt:
            self.act(partial(prompt.type_in, key=event.key, character=event.character))
        elif self.state.sheet and event.key in SHEET_KEYS:
            self.act(partial(actions.scroll, by=SHEET_KEYS[event.key]))
        elif self.state.sheet and event.key == "enter":
            self.act(actions.go_to_row)
        elif self.state.sheet:
            self.act(partial(actions.sheet, name=self.state.sheet))
        elif key is not None:
            await self.do(key)

    async def do(self, key: Key) -> None:
        """What a row of the table of keys says."""
        if self.state.choosing and key.name not in IN_THE_LIST:
            return
        action = getattr(actions, key.name, None)
        if action is None:
            await self.run_action(key.action)
        else:
            self.act(lambda state: action(state, *key.arguments))

    def on_act(self, message: Act) -> None:
        """The mouse."""
        self.act(actions.heard)
        self.act(message.action)

    def _place(self) -> tuple[object, ...]:
        """What decides which frames are read."""
        return self.state.front, self.state.index, self.state.mark, self.state.runs

    def _draw(self) -> None:
        self._waiting = False
        if not self.is_running:
            return
        if self.state.wanted is not None:
            self._change_runs(self.state.wanted)
        if self._place() != self._read:
            self.state = at_cursor(self.state, self.sessions)
            self._read = self._place()
        if self.state.playing and self._playing is None:
            self._playing = self.set_interval(PLAY_SECONDS, partial(self.act, actions.tick))
        elif not self.state.playing and self._playing is not None:
            self._playing.stop()
            self._playing = None
        if not self._waits_for_picture():
            self._undrawn_since = 0.0
            self.main.glass.show(self.state)

    def _waits_for_picture(self) -> bool:
        """Whether to draw a moment later, so that a step of the traps view is drawn once, with its picture."""
        state = self.state
        if state.view != "traps" or not picture_side(state):
            return False
        direction = self.background.artist.direction((state.front, state.index, state.layer), self.session.run)
        if direction is not None:
            self.state = arrivals.computed(state, direction)
            return False
        now = time.monotonic()
        self._undrawn_since = self._undrawn_since or now
        left = self._undrawn_since + PICTURE_SECONDS - now
        if left > 0:
            self.set_timer(left, self._draw)
        return left > 0

    def _change_runs(self, path: Path) -> None:
        """Open a run of the list in place of what was open; its news come after all that is still to be heard."""
        self.state = replace(self.state, wanted=None)
        if [session.run.path for session in self.sessions[:1]] == [path]:
            self.state = actions.view(self.state, "overview")
            return
        try:
            sessions = [Session.quick(run) for run in with_parent([open_trajectory(path)])]
        except (GrokscopeError, OSError) as error:
            self.state = replace(self.state, notice=str(error))
            return
        self.background.end()
        self.call_later(self._show_runs, sessions)

    def _show_runs(self, sessions: list[Session]) -> None:
        self.sessions = sessions
        self.background = self._background()
        self.put(self._opened(self.state))
        self.background.start(watching=self.watching, analysis=self.analysis)

    def on_mount(self) -> None:
        """Start the threads once the first frame is on screen."""
        self.app_resume_signal.subscribe(self, lambda _: self.main.glass.refresh())
        self.call_after_refresh(self.background.start, watching=self.watching, analysis=self.analysis)
        self.call_after_refresh(collect_garbage)
        if self.lister is not None:
            self.call_after_refresh(self.lister.start)
        if not self.is_headless:
            self.set_interval(HANGUP_SECONDS, end_with_terminal)

    def on_unmount(self) -> None:
        """End the threads."""
        if self.lister is not None:
            self.lister.end()
        self.background.end()

    # News from the threads.

    def on_listed(self, message: Listed) -> None:
        """A run of the folder is not as it was."""
        self.act(partial(arrivals.listed, entries=message.entries))

    def on_looked(self, message: Looked) -> None:
        """A run file was looked at."""
        self.act(partial(arrivals.looked, run=message.run, liveness=message.liveness, problem=message.problem))
        if message.changed:
            self.background.reader.want(message.run)

    def on_warned(self, message: Warned) -> None:
        """Something is to be known of a run."""
        self.act(partial(arrivals.warned, run=message.run, caveats=message.caveats))

    def on_analysed(self, message: Analysed) -> None:
        """More of a run is measured."""
        self.act(partial(arrivals.analysed, run=message.run, progress=message.progress, note=message.note))
        self.background.reader.want(message.run)

    def on_damaged(self, message: Damaged) -> None:
        """Checkpoints of a run are damaged: whoever reads them is to see it, too."""
        self.background.reader.want(message.run, message.indices)

    def on_reread(self, message: Reread) -> None:
        """A run was read again."""
        self.sessions[message.run] = message.session
        self.act(partial(arrivals.grown, runs=timelines(self.sessions)))

    def on_computed(self, message: Computed) -> None:
        """The picture of the traps view is there."""
        self.act(partial(arrivals.computed, direction=message.direction))

    async def settled(self) -> None:
        """Wait until what the screen shows is read and computed."""
        if self.lister is not None:
            await asyncio.to_thread(self.lister.once.wait)
        await asyncio.to_thread(self.background.reader.idle.wait)
        await asyncio.to_thread(self.background.artist.idle.wait)

    # What keys do beside the state.

    def action_command_palette(self) -> None:
        """Show the palette of commands, in the colours of the panes."""
        self.theme = self.state.palette.name
        super().action_command_palette()

    def action_suspend_process(self) -> None:
        """To the shell, with all that belongs to its job; back at once where no shell has it as a job."""
        with self.suspend():
            stopped = stop_job()
        if not stopped:
            self.say("no shell with jobs has started this: q quits")

    def say(self, words: str) -> None:
        """Say something in the last line until the next key."""
        self.put(replace(self.state, notice=words))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG."""
        from grokscope.app.picture_text import in_place

        return safe_text(in_place(super().export_screenshot(title=title, simplify=simplify)))

    def action_copy(self) -> None:
        """Copy the selected layer's row, tab separated with its titles."""
        from grokscope.app.export import copy_within_tmux, row_as_text

        if self.state.selected is not None:
            row = row_as_text(self.state)
            self.copy_to_clipboard(row)
            copy_within_tmux(row)
            self.say(f"copied the row of {self.state.selected.name}")

    def action_export(self) -> None:
        """Write the screen as SVG and the view's numbers as CSV."""
        from grokscope.app.export import export

        try:
            paths = export(self.state, self.session.run.path, self.export_screenshot(title=self.session.name))
        except (OSError, GrokscopeError) as error:
            self.say(f"not written: {error}")
            return
        self.say(f"wrote {paths[0].name} and {paths[1].suffix[1:].upper()} into {paths[0].parent}")

    def action_python(self) -> None:
        """Quit, and print the Python that rebuilds this view."""
        from grokscope.app.export import python_for

        self.exit(python_for(self.state, self.session.run))
