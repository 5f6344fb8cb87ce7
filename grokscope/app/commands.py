"""The command palette: every action of the table of keys."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from grokscope.app.keys import KEYS


class Commands(Provider):
    """Finds the actions of the table of keys by their words."""

    async def discover(self) -> Hits:
        """All actions, when nothing is typed yet."""
        for key in KEYS:
            if key.palette:
                yield DiscoveryHit(key.palette, partial(self.app.run_action, key.action), help=f"key {key.shown}")

    async def search(self, query: str) -> Hits:
        """The actions that match what is typed."""
        matcher = self.matcher(query)
        for key in KEYS:
            score = matcher.match(key.palette) if key.palette else 0
            if score > 0:
                action = partial(self.app.run_action, key.action)
                yield Hit(score, matcher.highlight(key.palette), action, help=f"key {key.shown}")
