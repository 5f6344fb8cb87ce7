"""The machine that the opcodes of a pickle work on: a stack, marks in it, a memo, and the bytes that are left.

Each opcode makes at most one object, and their number is bounded, so that no pickle can take more than some
hundred MB or some seconds, whatever it asks for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from grokscope.importers.pickled_values import REBUILD, Name, NotReadable, Rebuild, Stub

LARGEST_NUMBER_OF_OBJECTS = 1_500_000
LONGEST_LINE = 4096
TOO_MUCH = "holds more objects beside its tensors than weights need"


class Machine:
    """What one pickle in a buffer has made so far, and where it stands.

    `rebuild` maps the few functions that make tensors to what is done in their place; `persistent` is given each
    persistent id. `position` is that of the next byte.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        position: int = 0,
        *,
        rebuild: dict[str, Rebuild] | None = None,
        persistent: Callable[[Any], Any] = lambda key: Stub("persistent", (key,)),
    ) -> None:
        """Stand before the first opcode, at `position` of `data`."""
        self.position = position
        self.data = memoryview(data)
        self._rebuild = rebuild or {}
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._left = LARGEST_NUMBER_OF_OBJECTS

    def take(self, count: int) -> memoryview:
        """Return the next bytes; IndexError where there are not so many."""
        end = self.position + count
        if count < 0 or end > len(self.data):
            self.position = len(self.data)
            raise IndexError
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, layout: struct.Struct) -> Any:
        """Return the next number of a fixed size."""
        return layout.unpack(self.take(layout.size))[0]

    def line(self) -> bytes:
        """Return what there is up to the end of the line."""
        length = bytes(self.data[self.position : self.position + LONGEST_LINE]).find(b"\n")
        return bytes(self.take(length + 1 if length >= 0 else LONGEST_LINE)[:length])

    def count(self, objects: int) -> None:
        """Count objects that are made; raises NotReadable when there are too many."""
        self._left -= objects
        if self._left < 0:
            raise NotReadable(TOO_MUCH)

    def push(self, value: Any) -> None:
        """Put a new object on the stack, and count it."""
        self._left -= 1
        if self._left < 0:
            raise NotReadable(TOO_MUCH)
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the last object from the stack."""
        return self._stack.pop()

    def drop(self) -> None:
        """Drop the last object of the stack, or the mark that was set last."""
        if self._stack:
            self._stack.pop()
        else:
            self.since_mark()

    def since_mark(self) -> list[Any]:
        """Take all objects since the last mark from the stack."""
        taken = self._stack
        self._stack = self._marks.pop()
        return taken

    def mark(self) -> None:
        """Begin a new stretch of the stack."""
        self.count(1)
        self._marks.append(self._stack)
        self._stack = []

    def top(self) -> Any:
        """Look at the last object of the stack."""
        return self._stack[-1]

    def remember(self, key: int) -> None:
        """Keep the last object under a number of the memo."""
        self.count(1)
        self._memo[key] = self._stack[-1]

    def remember_next(self) -> None:
        """Keep the last object under the next number of the memo."""
        self.remember(len(self._memo))

    def recall(self, key: int) -> None:
        """Put an object of the memo on the stack once more."""
        self._stack.append(self._memo[key])

    def call(self, function: Any, arguments: Any) -> Any:
        """Return what stands for the result of a call."""
        if not isinstance(arguments, tuple):
            raise NotReadable("is damaged")
        if not isinstance(function, Name):
            return Stub("unnamed", arguments)
        self.count(sum(len(value) // 16 for value in arguments if isinstance(value, list | tuple | str | bytes)))
        known = self._rebuild.get(function.name) or REBUILD.get(function.name)
        return known(*arguments) if known else Stub(function.name, arguments)

    def persistent(self, key: Any) -> Any:
        """Return what a persistent id stands for."""
        return self._persistent(key)
