"""The picture in the traps view: a layer's leading direction, computed in a thread, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.text import Text

from grokscope.app.base import Base
from grokscope.app.messages import Computed, SelectTrap
from grokscope.app.session import Session
from grokscope.app.state import State
from grokscope.app.widgets import Place

CACHED_DIRECTIONS = 64


class Directions(Base):
    """Computes the directions that the traps view asks for, and keeps the last of them."""

    def __init__(self, sessions: Sequence[Session], *, theme: str = "dark") -> None:
        super().__init__(sessions, theme=theme)
        self._directions: dict[tuple[str, int, str], Any] = {}
        self._computing = False

    def shown(self) -> None:
        """The traps view is in sight: its picture is wanted."""
        if self.state.view == "traps":
            self._need_direction()

    def draw_traps(self, state: State, width: int, height: int) -> Text:
        """The traps view with its picture, as soon as that is computed."""
        from grokscope.app.traps import trap_view

        return trap_view(state, self._directions.get(self._direction_key()), width, height).text()

    def hit_traps(self, state: State, place: Place) -> SelectTrap | None:
        """A click on a row of the list selects its trap."""
        from grokscope.app.traps import trap_at

        trap = trap_at(state, self._directions.get(self._direction_key()), *place)
        return None if trap is None else SelectTrap(trap)

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
