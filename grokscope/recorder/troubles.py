"""What goes wrong while recording: told once as a warning, and kept for the run file's notes."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable

from grokscope.names import safe_name

OWN_PACKAGES = ("grokscope.recorder", "grokscope.integrations")


class Troubles:
    """Sentences about what a recorder met, each kind once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: set[str] = set()
        self._unwritten: list[str] = []

    def tell(self, kind: str, sentence: str) -> None:
        """Warn, unless this kind was told before; never raises, not even where warnings are errors."""
        if kind in self._told:
            return
        self._told.add(kind)
        self._unwritten.append(sentence)
        try:
            warnings.warn(f"grokscope: {sentence}", RuntimeWarning, stacklevel=_level_of_the_loop())
        except Exception:
            with contextlib.suppress(Exception):
                sys.stderr.write(f"grokscope: {safe_name(sentence)}\n")

    def write(self, note: Callable[[str], object]) -> None:
        """Hand over the sentences that are not in the file yet."""
        while self._unwritten:
            note(self._unwritten[0])
            self._unwritten.pop(0)


def _level_of_the_loop() -> int:
    """Return the stack level of the line that called the recorder, for the warning to name it."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(OWN_PACKAGES):
        frame, level = frame.f_back, level + 1
    return level
