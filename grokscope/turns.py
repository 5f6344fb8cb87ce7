"""Long work that is done in a thread beside others: it gives the processor up now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

REST_SECONDS = 5e-5
"""Long enough for a thread that waits for its turn to take it."""


def rest(done: int, at_once: int) -> None:
    """Let other threads have their turn where as much is done as is done at once."""
    if done % at_once == 0:
        time.sleep(REST_SECONDS)


def in_turns(items: Iterable[Item], at_once: int = 1) -> Iterator[Item]:
    """Yield the items, with a rest after every few of them.

    Python takes the processor from a thread after 5 ms, which is what a key waits for at each of its own steps.
    """
    for number, item in enumerate(items, start=1):
        yield item
        rest(number, at_once)
