"""The app: keys and messages in, one frozen State out to the panes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import ContentSwitcher, Static

from grokscope.app import draw, keys
from grokscope.app.layout import layout, too_small
from grokscope.app.messages import Analysed, Computed, Looked, Scrub
from grokscope.app.session import Session
from grokscope.app.state import Comparison, State
from grokscope.app.text import whole
from grokscope.app.theme import DARK, LIGHT, PALETTES, textual_theme
from grokscope.app.widgets import Pane, TimelinePane

if TYPE_CHECKING:
    from textual.command import Provider

    from grokscope.app.background import Analyst, Watcher

PLAY_SECONDS = 0.25
CACHED_DIRECTIONS = 64


def _commands() -> type[Provider]:
    from grokscope.app.commands import Commands

    return Commands


def _shape(state: State) -> tuple[object, ...]:
    """What of a state decides the sizes of the panes."""
    from grokscope.app.header import has_status

    compared = state.comparison is not None
    return state.view, compared, state.palette.name, has_status(state), state.pane, state.timeline.layers


class Microscope(App[str]):
    """Scrub through one run, or several on one timeline; returns the Python that `d` asked for."""

    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings())
    COMMANDS: ClassVar[set[Any]] = {_commands}
    ENABLE_COMMAND_PALETTE = True
    TITLE = "grokscope"

    index: reactive[int] = reactive(0, init=False)

    def __init__(self, sessions: Sequence[Session], *, theme: str = "dark", analysis: bool = True,
                 watching: bool = True) -> None:  # fmt: skip
        super().__init__()
        self.sessions = list(sessions)
        self.analysis, self.watching = analysis, watching
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        palette = LIGHT if theme == "light" else DARK
        self.theme = palette.name
        self.state = State(self.session.timeline(), palette=palette)
        self._analysts: list[Analyst] = []
        self._watchers: list[Watcher] = []
        self._directions: dict[tuple[str, int, str], Any] = {}
        self._computing = False
        self._frame_is_stale = False
        self._ticking: Any = None
        self.set_reactive(Microscope.index, max(0, self.session.num_checkpoints - 1))
        self.state = self._at_cursor(self.state)

    @property
    def session(self) -> Session:
        """The run in front."""
        return self.sessions[0]

    # -- panes

    def compose(self) -> ComposeResult:
        """One screen: header, status, timeline, the four views, footer."""
        state = self.state
        yield Pane(draw.draw_header, state, "header")
        yield Pane(draw.draw_status, state, "status")
        yield TimelinePane(draw.draw_timeline, state, "timeline")
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                yield Pane(draw.draw_table, state, "table")
                with Horizontal(id="spectra"):
                    yield Pane(draw.draw_esd, state, "overview-esd")
                    yield Pane(draw.draw_randomized, state, "overview-randomized")
            with Vertical(id="spectrum"):
                yield Pane(draw.draw_esd, state, "spectrum-esd")
                yield Pane(draw.draw_randomized, state, "spectrum-randomized")
            yield Pane(self._draw_traps, state, "traps")
            yield Pane(draw.draw_trajectories, state, "trajectories")
        yield Pane(draw.draw_footer, state, "footer")
        yield Static(id="too-small", markup=False)

    def on_mount(self) -> None:
        """Lay out, then start the threads once the first frame is on screen."""
        self._lay_out()
        self.call_after_refresh(self._start_threads)

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new size, once the screen has it too."""
        self.call_next(self._lay_out)

    def put(self, state: State) -> None:
        """Replace the state and draw it."""
        before, self.state = self.state, state
        if not self.is_running:
            return
        if _shape(before) != _shape(state):
            self._lay_out()
        else:
            self._show()

    def _show(self) -> None:
        """Give the state to the panes that can be seen."""
        for pane in self.screen_stack[0].query(Pane):
            if pane.display and (pane.parent is None or self._in_view(pane)):
                pane.show(self.state)
        if self.state.view == "traps":
            self._need_direction()

    def _in_view(self, pane: Pane) -> bool:
        views = {"overview", "spectrum", "traps", "trajectories"}
        names = {node.id for node in pane.ancestors_with_self} & views
        return not names or self.state.view in names

    def _lay_out(self) -> None:
        from grokscope.app.header import has_status

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
        self._show()

    def _draw_traps(self, state: State, width: int, height: int) -> Any:
        from grokscope.app.traps import trap_view

        return trap_view(state, self._directions.get(self._direction_key()), width, height).text()

    # -- the cursor

    def watch_index(self) -> None:
        """Draw the new checkpoint once the keys that are waiting have been heard: none is dropped."""
        for analyst in self._analysts:
            analyst.cursor = self.index
        if not self._frame_is_stale:
            self._frame_is_stale = True
            self.call_later(self._show_cursor)

    def _show_cursor(self) -> None:
        self._frame_is_stale = False
        self.put(self._at_cursor(self.state))

    def validate_index(self, index: int) -> int:
        """Keep the cursor on the run."""
        return max(0, min(index, self.session.num_checkpoints - 1))

    def _at_cursor(self, state: State) -> State:
        """The state with the frames and timelines at the cursor."""
        frame = self.session.frame(self.index)
        others = tuple(session.timeline() for session in self.sessions[1:])
        state = replace(state, timeline=self.session.timeline(), frame=frame, others=others)
        return replace(state, comparison=self._comparison(state))

    def _comparison(self, state: State) -> Comparison | None:
        """The marked checkpoint, else the second run at the same step."""
        if state.frame is None:
            return None
        if state.mark is not None:
            if state.mark == state.index:
                return None
            kept = state.comparison
            if kept is not None and kept.frame.index == state.mark and kept.frame.run == self.session.name:
                return kept
            frame = self.session.frame(state.mark)
            return None if frame is None else Comparison(f"step {whole(frame.step)}", frame)
        if len(self.sessions) < 2:
            return None
        other = self.sessions[1]
        frame = other.frame(other.timeline().nearest(state.frame.step)) if other.num_checkpoints else None
        return None if frame is None else Comparison(f"{other.name} at {whole(frame.step)}", frame)

    def action_move(self, by: int) -> None:
        """Step through the checkpoints; disarms following."""
        self._disarm()
        self.index += by

    def action_first(self) -> None:
        """Go to the first checkpoint."""
        self._disarm()
        self.index = 0

    def action_last(self) -> None:
        """Go to the last checkpoint, and stay on the last one of a live run."""
        self.index = self.session.num_checkpoints - 1
        self.put(replace(self.state, following=self.state.live, playing=False))

    def action_event(self, direction: int) -> None:
        """Go to the next or previous event, and say what it is."""
        self._disarm()
        places = sorted({event.index for event in self.state.timeline.events})
        ahead = [i for i in places if (i > self.index if direction > 0 else i < self.index)]
        if not ahead:
            self.notify("no event further on" if direction > 0 else "no event further back", timeout=2)
            return
        self.index = ahead[0] if direction > 0 else ahead[-1]
        words = [event.text for event in self.state.timeline.events if event.index == self.index]
        self.notify("; ".join(words), timeout=3, markup=False)

    def action_go_to(self) -> None:
        """Ask for a step."""
        from grokscope.app.goto_screen import GoToScreen

        def go(step: float | None) -> None:
            if step is not None:
                self._disarm()
                self.index = self.session.timeline().nearest(step)

        if self.session.num_checkpoints:
            self.push_screen(GoToScreen(int(self.session.timeline().steps[-1])), go)

    def on_scrub(self, message: Scrub) -> None:
        """The mouse on the timeline."""
        self._disarm()
        self.index = message.index

    def action_play(self) -> None:
        """Play through the checkpoints, or pause."""
        playing = not self.state.playing
        if playing and self.index >= self.session.num_checkpoints - 1:
            self.index = 0
        self.put(replace(self.state, playing=playing, following=False))
        if self._ticking is None:
            self._ticking = self.set_interval(PLAY_SECONDS, self._tick)

    def _tick(self) -> None:
        if not self.state.playing:
            return
        if self.index >= self.session.num_checkpoints - 1:
            self.put(replace(self.state, playing=False))
        else:
            self.index += 1

    def _disarm(self) -> None:
        if self.state.following or self.state.playing:
            self.put(replace(self.state, following=False, playing=False))

    # -- what is looked at

    def action_select(self, by: int) -> None:
        """Select another layer; in the list of traps, another trap."""
        state, layer = self.state, self.state.selected
        if state.view == "traps" and state.pane == 1 and layer is not None and layer.spectrum is not None:
            last = max(0, len(layer.spectrum.traps) - 1)
            self.put(replace(state, trap=min(last, max(0, min(last, state.trap) + by))))
            return
        last = max(0, len(state.timeline.layers) - 1)
        self.put(replace(state, layer=min(last, max(0, state.layer + by)), trap=0))

    def action_view(self, view: str) -> None:
        """Show another of the four views."""
        self.put(replace(self.state, view=view, pane=0))

    def action_pane(self, by: int) -> None:
        """Make the next pane the one that the keys act on."""
        if len(self.screen_stack) > 1:
            return
        count = 2
        if self.state.view == "trajectories":
            from grokscope.app.trajectories import panels

            count = len(panels(self.state))
        self.put(replace(self.state, pane=(self.state.pane + by) % count))

    def action_axis(self, which: str) -> None:
        """Make an axis of the pane logarithmic, or linear again."""
        state = self.state
        if state.view in {"trajectories", "traps"}:
            if which == "x":
                self.put(replace(state, steps_log=not state.steps_log))
            else:
                self.put(replace(state, values_log=not state.values_log))
        elif state.pane % 2:
            self.put(replace(state, randomized_axes=state.randomized_axes.flipped(which)))
        else:
            self.put(replace(state, esd_axes=state.esd_axes.flipped(which)))

    def action_search(self) -> None:
        """Show D(xmin) over the ESD, or the fitted line again."""
        self.put(replace(self.state, search=not self.state.search))

    def action_mark(self) -> None:
        """Mark the checkpoint to compare others with it; on a marked one, take the mark away."""
        mark = None if self.state.mark == self.state.index else self.state.index
        if self.state.frame is None:
            return
        state = replace(self.state, mark=mark)
        self.put(replace(state, comparison=self._comparison(state)))
        words = (
            "mark taken away" if mark is None else f"step {whole(self.state.frame.step)} marked: move to compare"
        )
        self.notify(words, timeout=2)

    def action_other_run(self) -> None:
        """Put the next run in front, at the same step."""
        if len(self.sessions) < 2:
            self.notify("one run only; `grokscope view a.h5 b.h5` shows two", timeout=3)
            return
        step = 0 if self.state.frame is None else self.state.frame.step
        self.sessions = [*self.sessions[1:], self.sessions[0]]
        self._analysts = [*self._analysts[1:], *self._analysts[:1]]
        self.set_reactive(Microscope.index, self.session.timeline().nearest(step))
        self.put(self._at_cursor(replace(self.state, mark=None, comparison=None, layer=0, liveness=None)))

    def action_theme(self) -> None:
        """Change between dark and light."""
        palette = LIGHT if self.state.palette.dark else DARK
        self.theme = palette.name
        self.put(replace(self.state, palette=palette))

    def action_follow(self) -> None:
        """Stay on the last checkpoint of a live run, or stop staying there."""
        if not self.state.live:
            self.notify("this run is not being trained now", timeout=2)
            return
        following = not self.state.following
        self.put(replace(self.state, following=following, playing=False))
        if following:
            self.index = self.session.num_checkpoints - 1

    def action_leave(self) -> None:
        """One layer out: stop playing, drop the mark, leave D(xmin), return to the overview."""
        state = self.state
        if state.playing:
            self.put(replace(state, playing=False))
        elif state.mark is not None:
            unmarked = replace(state, mark=None, comparison=None)
            self.put(replace(unmarked, comparison=self._comparison(unmarked)))
        elif state.search:
            self.put(replace(state, search=False))
        else:
            self.action_view("overview")

    def action_help(self) -> None:
        """Show the table of keys."""
        from grokscope.app.help_screen import HelpScreen

        self.push_screen(HelpScreen(self.state.palette))

    # -- taking things away

    def action_copy(self) -> None:
        """Copy the selected layer's row, tab separated with its titles."""
        from grokscope.app.export import row_as_text

        if self.state.selected is not None:
            self.copy_to_clipboard(row_as_text(self.state))
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
        folder = paths[0].parent
        self.notify(
            f"wrote {paths[0].name} and {paths[1].suffix[1:].upper()} into {folder}", timeout=5, markup=False
        )

    def action_python(self) -> None:
        """Quit, and print the Python that rebuilds this view."""
        from grokscope.app.export import python_for

        self.exit(python_for(self.state, self.session.run))

    # -- threads

    def _start_threads(self) -> None:
        from grokscope.app.background import Analyst, Watcher

        if self.watching:
            self._watchers = [Watcher(session.run.path, self._post_for(session)) for session in self.sessions]
        if self.analysis:
            self._analysts = [Analyst(session.run.path, self._post_for(session)) for session in self.sessions]
        for analyst in self._analysts:
            analyst.cursor = self.index
        threads: list[Thread] = [*self._watchers, *self._analysts]
        for thread in threads:
            thread.start()

    def _post_for(self, session: Session) -> Callable[[Any], object]:
        def post(message: Any) -> object:
            message.session = session
            return self.post_message(message)

        return post

    def on_unmount(self) -> None:
        """Tell the threads to end; they are daemons and are not waited for."""
        for watcher in self._watchers:
            watcher.stop.set()
        for analyst in self._analysts:
            analyst.stop.set()

    def on_looked(self, message: Looked) -> None:
        """The run file was looked at: show how the training stands, and what is new."""
        session: Session = message.session  # type: ignore[attr-defined]
        if message.changed:
            self._refresh(session)
        if session is not self.session:
            return
        live = message.liveness
        if live is None:
            self.put(replace(self.state, problem=message.problem))
            return
        state = replace(self.state, liveness=live, problem="")
        first_look = self.state.liveness is None
        if first_look and state.live and self.index == self.session.num_checkpoints - 1:
            state = replace(state, following=True)
        if not state.live:
            state = replace(state, following=False)
        before = self.state
        if (state.liveness, state.following, state.problem) != (before.liveness, before.following, before.problem):
            self.put(state)

    def on_analysed(self, message: Analysed) -> None:
        """More of the run is measured."""
        session: Session = message.session  # type: ignore[attr-defined]
        self._refresh(session)
        if session is self.session:
            self.put(replace(self.state, analysing=message.progress, analysis_note=message.note))

    def _refresh(self, session: Session) -> None:
        """Take in what is new of a run; a followed run moves the cursor to its last checkpoint."""
        from grokscope.errors import GrokscopeError

        try:
            if not session.refresh():
                return
            if session is self.session and self.state.following:
                self.set_reactive(Microscope.index, max(0, session.num_checkpoints - 1))
            self.set_reactive(Microscope.index, max(0, self.validate_index(self.index)))
            self.put(self._at_cursor(replace(self.state, comparison=None)))
        except (GrokscopeError, OSError, KeyError) as error:  # gone or being replaced: the next look tells
            self.put(replace(self.state, problem=str(error)))

    # -- the picture in the traps view

    def _direction_key(self) -> tuple[str, int, str]:
        layers = self.session.run.layers
        name = layers[min(self.state.layer, len(layers) - 1)].name if layers else ""
        return str(self.session.run.path), self.state.index, name

    def _need_direction(self) -> None:
        """Compute the leading direction of the first layer's weight in a thread, one at a time."""
        key = self._direction_key()
        wanted = self.state.layer == 0 and self.state.frame is not None and key not in self._directions
        if not wanted or self._computing:
            return
        self._computing = True
        run = self.session.run

        def compute() -> None:
            from threadpoolctl import threadpool_limits

            from grokscope.app.vectors import leading_direction
            from grokscope.errors import GrokscopeError

            try:
                with threadpool_limits(1):  # more would compete with the screen for the processor
                    direction = leading_direction(run.weight(key[1], key[2]))
                self.post_message(Computed(key, direction))
            except (GrokscopeError, OSError, IndexError, np.linalg.LinAlgError):
                self.post_message(Computed(key, None))

        self.run_worker(compute, thread=True, group="direction")

    def on_computed(self, message: Computed) -> None:
        """Keep a direction, and draw it if it is the one in view."""
        while len(self._directions) > CACHED_DIRECTIONS:
            self._directions.pop(next(iter(self._directions)))
        self._directions[message.key] = message.direction
        self._computing = False
        if self.state.view == "traps" and message.key == self._direction_key():
            self._show()
        elif self.state.view == "traps":
            self._need_direction()

    def palette_entries(self) -> Iterable[keys.Key]:
        """Every action that the command palette offers."""
        return [key for key in keys.KEYS if key.palette]
