"""What can go wrong by a user's hand, each as one sentence: what, where, and what to do."""

from __future__ import annotations

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
"""What a command exits with where it does not do what was asked; 0 where it does."""


class GrokscopeError(Exception):
    """A mistake that the user can mend; the command line prints it in one line and exits with 2."""


class UsageError(GrokscopeError):
    """An option or an argument that cannot be meant as it was given."""


class BadRunFile(GrokscopeError):
    """A path that is not a run file that grokscope can read."""


class DamagedCheckpoint(GrokscopeError):
    """A checkpoint, or another array of a run, whose bytes are not the ones that were written."""


class RunLocked(GrokscopeError):
    """A run file that another process is writing."""


class StorageError(GrokscopeError):
    """A disk or a folder that refuses what has to be written."""


class MissingPackage(GrokscopeError):
    """An optional package that a command needs and that is not installed, with what helps."""

    def __init__(self, needed: str, extra: str = "", instead: str = "") -> None:
        """Say what is needed, and that an extra of grokscope's own checkout brings it."""
        bringing = f"; `pip install '.[{extra}]'` in grokscope's checkout brings it" if extra else ""
        super().__init__(f"{needed}{bringing}{instead}")
