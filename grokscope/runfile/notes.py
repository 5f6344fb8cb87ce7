"""A run file's notes: lines of UTF-8 in a dataset of fixed size, so that adding one writes in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grokscope.names import safe_name

NO_MORE = "… more notes had no room here"


def notes_in(stored: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return the notes in uint8 [n]; a line that a crash has torn is read as far as it goes."""
    text = np.asarray(stored, dtype=np.uint8).tobytes().rstrip(b"\0").decode(errors="replace")
    return tuple(line for line in text.split("\n") if line)


def with_note(stored: NDArray[np.uint8], text: str) -> NDArray[np.uint8] | None:
    """Return the notes with one more, uint8 [n], or None where they hold it already or there is no room.

    The last place is taken by a line which says that there was no room for more.
    """
    line = safe_name(" ".join(text.split()))  # names of files in it may hold bytes that are no text
    if line in notes_in(stored):
        return None
    used = stored.tobytes().rstrip(b"\0")
    reserved = len(NO_MORE.encode()) + 2
    for added, room in ((line, len(stored) - reserved), (NO_MORE, len(stored))):
        longer = used + (b"\n" if used and not used.endswith(b"\n") else b"") + added.encode()
        if added not in notes_in(stored) and len(longer) <= room:
            return np.frombuffer(longer.ljust(len(stored), b"\0"), dtype=np.uint8)
    return None
