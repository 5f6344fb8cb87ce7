"""A pseudo-terminal, read by the tests of what commands show there."""

from __future__ import annotations

import os


def read_all(descriptor: int) -> str:
    """Read a pseudo-terminal to its end."""
    pieces = []
    try:
        while piece := os.read(descriptor, 4096):
            pieces.append(piece)
    except OSError:
        pass  # how Linux says that the other side has closed
    os.close(descriptor)
    return b"".join(pieces).decode(errors="replace")
