"""Where a path leads that is about to be written."""

from __future__ import annotations

from pathlib import Path

from grokscope.errors import StorageError
from grokscope.files import kind_of


def resolved(path: Path) -> Path:
    """Return where a path leads through all symbolic links; raises StorageError where that is to nowhere."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for a loop
        raise StorageError(f"{path} is {kind_of(path)}; remove it, or name another file") from None
