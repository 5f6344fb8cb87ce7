"""Checkpoints in another process: a worker measures those that it was sent for, or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.trajectory.opening import Opening

State = tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]
"""Each checkpoint's step, and its files' sizes and times."""
Opens = Callable[[Path, Opening], Any]


class Elsewhere:
    """Stands for checkpoints: opened when they are first asked, where an error can be told, refused if changed."""

    def __init__(self, *place: Any) -> None:
        """Take what `_reopened` takes; nothing is opened yet."""
        self._place = place

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle again, as on the way through a scheduler."""
        return Elsewhere, self._place

    def __getattr__(self, name: str) -> Any:
        """Ask the checkpoints; raises UsageError where they are not those of before."""
        return getattr(_reopened(*self._place), name)


@lru_cache(maxsize=4)
def _reopened(opens: Opens, path: Path, opening: Opening, state: State) -> Any:
    """Open them once for each state of their files."""
    checkpoints = opens(path, opening)
    if checkpoints.state != state:
        raise UsageError(f"{path} has changed since it was opened; what was measured is kept: run it again")
    return checkpoints
