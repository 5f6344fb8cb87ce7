"""The app: keys and messages in, one frozen State out to the panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType

from grokscope.app import keys
from grokscope.app.directions import Directions
from grokscope.app.live import Live
from grokscope.app.look_keys import LookKeys
from grokscope.app.session import Session
from grokscope.app.take_keys import TakeKeys
from grokscope.app.time_keys import TimeKeys

if TYPE_CHECKING:
    from textual.command import Provider


def _commands() -> type[Provider]:
    from grokscope.app.commands import Commands

    return Commands


class Microscope(TimeKeys, LookKeys, TakeKeys, Live, Directions):
    """Scrub through one run, or several on one timeline; returns the Python that `d` asked for.

    Each base adds the actions of one idea; the table of keys names all of them.
    """

    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings())
    COMMANDS: ClassVar[set[Any]] = {_commands}
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, sessions: Sequence[Session], *, theme: str = "dark", analysis: bool = True,
                 watching: bool = True) -> None:  # fmt: skip
        super().__init__(sessions, theme=theme)
        self.analysis, self.watching = analysis, watching
