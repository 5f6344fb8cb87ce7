"""What threads post to the app; they touch nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.message import Message

from grokscope.app.session import Session
from grokscope.app.state import Direction
from grokscope.errors import GrokscopeError
from grokscope.runfile.liveness import Liveness

Post = Callable[[Message], object]

UNREADABLE = (GrokscopeError, OSError, KeyError, RuntimeError, IndexError)
"""What reading a run may raise that is gone, or being replaced."""

LOOK_SECONDS = 1.0
"""Between two looks at the files."""


class Looked(Message):
    """A run file was looked at: how its training stands, and whether there is anything new in it."""

    def __init__(self, run: int, liveness: Liveness | None, changed: bool, problem: str = "") -> None:
        super().__init__()
        self.run, self.liveness, self.changed, self.problem = run, liveness, changed, problem


class Warned(Message):
    """What every verdict on a run has to be read with, a sentence each."""

    def __init__(self, run: int, caveats: tuple[str, ...]) -> None:
        super().__init__()
        self.run, self.caveats = run, caveats


class Analysed(Message):
    """The analysis of a run has moved on: (done, total) layers, None when there is nothing left to do."""

    def __init__(self, run: int, progress: tuple[int, int] | None, note: str = "") -> None:
        super().__init__()
        self.run, self.progress, self.note = run, progress, note


class Damaged(Message):
    """Checkpoints of a run are not what was written."""

    def __init__(self, run: int, indices: Sequence[int]) -> None:
        super().__init__()
        self.run, self.indices = run, tuple(indices)


class Reread(Message):
    """A run was read again, and there is something new in it."""

    def __init__(self, run: int, session: Session) -> None:
        super().__init__()
        self.run, self.session = run, session


class Computed(Message):
    """A direction for the traps view is ready."""

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.direction = direction
