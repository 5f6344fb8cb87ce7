"""The picture in the traps view: a layer's leading direction, computed in a thread, one at a time."""

from __future__ import annotations

import time
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
REST_SECONDS = 0.05
"""How long the cursor stands still first: who holds a key wants the next frame, not the last one's picture."""

Key = tuple[str, int, str]  # run, checkpoint, layer


class Directions(Base):
    """Computes the directions that the traps view asks for, and keeps the last of them."""

    def __init__(self, sessions: Sequence[Session], *, theme: str = "dark") -> None:
        super().__init__(sessions, theme=theme)
        self._directions: dict[Key, Any] = {}
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

    def _direction_key(self) -> Key:
        layers = self.session.run.layers
        name = layers[min(self.state.layer, len(layers) - 1)].name if layers else ""
        return str(self.session.run.path), self.state.index, name

    def _need_direction(self) -> None:
        """Have the direction of the first layer's weight computed, once the cursor rests."""
        if self._wanted(self._direction_key()) and not self._computing:
            self._computing = True
            self.run_worker(self._compute_at_rest, thread=True, group="direction")

    def _wanted(self, key: Key) -> bool:
        return self.state.layer == 0 and self.state.frame is not None and key not in self._directions

    def _compute_at_rest(self) -> None:
        """In the thread: wait until the cursor has rested, then compute what it rests on, if that is wanted."""
        key, moving = self._direction_key(), True
        while moving and self.is_running:
            time.sleep(REST_SECONDS)
            before, key = key, self._direction_key()
            moving = key != before
        self.post_message(Computed(key, self._direction(key) if self._wanted(key) else None))

    def _direction(self, key: Key) -> Any:
        from threadpoolctl import threadpool_limits

        from grokscope.app.vectors import leading_direction
        from grokscope.errors import GrokscopeError

        run = next(session.run for session in self.sessions if str(session.run.path) == key[0])
        try:
            with threadpool_limits(1):  # more would compete with the screen for the processor
                return leading_direction(run.weight(key[1], key[2]))
        except (GrokscopeError, OSError, IndexError, np.linalg.LinAlgError):
            return None

    def on_computed(self, message: Computed) -> None:
        """Keep a direction, and draw it if it is the one in view."""
        while len(self._directions) > CACHED_DIRECTIONS:
            self._directions.pop(next(iter(self._directions)))
        self._directions.setdefault(message.key, message.direction)
        self._computing = False
        if self.state.view == "traps" and message.key == self._direction_key():
            self._show()
        elif self.state.view == "traps":
            self._need_direction()
