"""What background threads and the mouse tell the app; threads never touch a widget."""

from __future__ import annotations

from textual.message import Message

from grokscope.runfile.liveness import Liveness


class Looked(Message):
    """The run file was looked at: how its training stands, and whether there is anything new in it."""

    def __init__(self, liveness: Liveness | None, changed: bool, problem: str = "") -> None:
        super().__init__()
        self.liveness, self.changed, self.problem = liveness, changed, problem


class Analysed(Message):
    """The background analysis has moved on: (done, total) layers, None when there is nothing left to do."""

    def __init__(self, progress: tuple[int, int] | None, note: str = "") -> None:
        super().__init__()
        self.progress, self.note = progress, note


class Computed(Message):
    """A direction for the traps view is ready; `key` is (run path, checkpoint index, layer name)."""

    def __init__(self, key: tuple[str, int, str], direction: object) -> None:
        super().__init__()
        self.key, self.direction = key, direction


class SelectLayer(Message):
    """A click on a layer's row."""

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer = layer


class SelectTrap(Message):
    """A click on a trap's row."""

    def __init__(self, trap: int) -> None:
        super().__init__()
        self.trap = trap


class Scrub(Message):
    """The mouse points at a checkpoint of the timeline."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index
