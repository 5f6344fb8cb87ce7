"""The screen of the app: its panes, their sizes, and the one state that they are drawn from."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from grokscope.app import draw
from grokscope.app.at_cursor import at_cursor
from grokscope.app.header import has_status
from grokscope.app.layout import layout, too_small
from grokscope.app.session import Session
from grokscope.app.state import State
from grokscope.app.theme import DARK, LIGHT, PALETTES, textual_theme
from grokscope.app.widgets import Pane, Place, TimelinePane


def _shape(state: State) -> tuple[object, ...]:
    """What of a state decides the sizes of the panes."""
    compared = state.comparison is not None
    return state.view, compared, state.palette.name, has_status(state), state.pane, state.timeline.layers


class MainScreen(Screen[None], inherit_bindings=False):
    """The screen of the panes, on which tab is one of the app's keys, heard in its turn."""


class Base(App[str]):
    """One screen drawn from one State; what the keys and the threads do to the state is in its subclasses."""

    CSS_PATH = "app.tcss"
    TITLE = "grokscope"

    index: reactive[int] = reactive(0, init=False)

    def __init__(self, sessions: Sequence[Session], *, theme: str = "dark") -> None:
        super().__init__()
        self.sessions = list(sessions)
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        palette = LIGHT if theme == "light" else DARK
        self.theme = palette.name
        self.set_reactive(Base.index, max(0, self.session.num_checkpoints - 1))
        self.state = self.at_cursor(State(self.session.timeline(), palette=palette))

    @property
    def session(self) -> Session:
        """The run in front."""
        return self.sessions[0]

    def validate_index(self, index: int) -> int:
        """Keep the cursor on the run."""
        return max(0, min(index, self.session.num_checkpoints - 1))

    def at_cursor(self, state: State) -> State:
        """The state with the frames and timelines at the cursor."""
        return at_cursor(state, self.sessions, self.index)

    def get_default_screen(self) -> MainScreen:
        """The screen that the panes are on."""
        return MainScreen(id="_default")

    def compose(self) -> ComposeResult:
        """One screen: header, status, timeline, the four views, footer."""
        state = self.state
        yield Pane(draw.draw_header, state, "header")
        yield Pane(draw.draw_status, state, "status")
        yield TimelinePane(draw.draw_timeline, state, "timeline")
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                yield Pane(draw.draw_table, state, "table", hit=draw.hit_table)
                with Horizontal(id="spectra"):
                    yield Pane(draw.draw_esd, state, "overview-esd")
                    yield Pane(draw.draw_randomized, state, "overview-randomized")
            with Vertical(id="spectrum"):
                yield Pane(draw.draw_esd, state, "spectrum-esd")
                yield Pane(draw.draw_randomized, state, "spectrum-randomized")
            yield Pane(self.draw_traps, state, "traps", hit=self.hit_traps)
            yield Pane(draw.draw_trajectories, state, "trajectories")
        yield Pane(draw.draw_footer, state, "footer")
        yield Static(id="too-small", markup=False)

    def on_mount(self) -> None:
        """Lay out."""
        self._lay_out()

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
        self.shown()

    def _in_view(self, pane: Pane) -> bool:
        views = {"overview", "spectrum", "traps", "trajectories"}
        names = {node.id for node in pane.ancestors_with_self} & views
        return not names or self.state.view in names

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
        self._show()

    def shown(self) -> None:
        """The state has just been given to the panes."""

    def draw_traps(self, state: State, width: int, height: int) -> Text:
        """The traps view; a subclass knows the picture in it."""
        raise NotImplementedError

    def hit_traps(self, state: State, place: Place) -> Message | None:
        """What a click in the traps view means; a subclass knows."""
        raise NotImplementedError
