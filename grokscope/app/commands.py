"""The command palette: every action of the table of keys."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from grokscope.app.keys import KEYS, Key


class Doing(Protocol):
    """Whoever does what a row of the table of keys says."""

    async def do(self, key: Key) -> None:
        """Do it."""


class Commands(Provider):
    """Finds the actions of the table of keys by their words."""

    @property
    def microscope(self) -> Doing:
        """The app."""
        return cast(Doing, cast(Any, self.app))

    async def discover(self) -> Hits:
        """All actions, when nothing is typed yet."""
        for key in KEYS:
            if key.palette:
                yield DiscoveryHit(key.palette, partial(self.microscope.do, key), help=f"key {key.shown}")

    async def search(self, query: str) -> Hits:
        """The actions that match what is typed."""
        matcher = self.matcher(query)
        for key in KEYS:
            score = matcher.match(key.palette) if key.palette else 0
            if score > 0:
                command = partial(self.microscope.do, key)
                yield Hit(score, matcher.highlight(key.palette), command, help=f"key {key.shown}")
