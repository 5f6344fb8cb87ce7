"""The training states in a run file: saved into two slots in turn, so that one whole state is always there."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from numpy.typing import NDArray

from grokscope.runfile.layout import Arrays, Layout
from grokscope.runfile.preallocated import PreallocatedFile, raw_bytes


class Stored(Protocol):
    """An open file whose datasets can be read by name."""

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole dataset."""
        ...


class ResumeSlots:
    """The slots of an open run file; a slot counts where its generation is positive and its CRC holds."""

    def __init__(self, file: Stored, layout: Layout) -> None:
        """Look at the slots of `file`, which has the given layout."""
        self._file = file
        self._names = tuple(sorted(layout.resume))
        self._slots = layout.slots if layout.resume else ()

    @property
    def whole(self) -> tuple[str, ...]:
        """The slots with a whole state, the newest first: none, one or two."""
        return tuple(slot for slot, _ in self._whole())

    @property
    def damaged(self) -> tuple[str, ...]:
        """The slots that should hold a whole state and do not; being empty or being written is no damage."""
        return tuple(slot for slot in self._slots if self._is_damaged(slot))

    @property
    def in_order(self) -> bool:
        """Whether the whole states can be told by their age: each was saved right after the other."""
        generations = [generation for _, generation in self._whole()]
        return len(generations) < 2 or generations[0] == generations[1] + 1

    def step(self, slot: str) -> int:
        """Return the step of a slot's state."""
        return int(self._file.read(f"resume/{slot}/step")[0])

    def load(self, slot: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a slot's state."""
        return {name: self._file.read(f"resume/{slot}/arrays/{name}") for name in self._names}

    def _whole(self) -> Iterator[tuple[str, int]]:
        """Yield (slot, generation) of the slots with a whole state, newest first."""
        generations = [(self._generation(slot), slot) for slot in self._slots]
        for generation, slot in sorted(generations, reverse=True):
            if generation > 0 and self._crc_holds(slot):
                yield slot, generation

    def _is_damaged(self, slot: str) -> bool:
        before = self._generation(slot)
        if before == 0 or (before > 0 and self._crc_holds(slot)):
            return False
        return self._generation(slot) == before  # else a trainer has begun to write it meanwhile

    def _generation(self, slot: str) -> int:
        return int(self._file.read(f"resume/{slot}/generation")[0])

    def _crc_holds(self, slot: str) -> bool:
        return self._crc(slot) == int(self._file.read(f"resume/{slot}/crc32")[0])

    def _crc(self, slot: str) -> int:
        crc = zlib.crc32(raw_bytes(self._file.read(f"resume/{slot}/step")))
        for name in self._names:
            crc = zlib.crc32(raw_bytes(self._file.read(f"resume/{slot}/arrays/{name}")), crc)
        return crc


class WritableSlots(ResumeSlots):
    """The slots of a file that is open for writing."""

    def __init__(self, file: PreallocatedFile, layout: Layout) -> None:
        """Look at the slots of `file`, which has the given layout."""
        super().__init__(file, layout)
        self._target = file

    def save(self, step: int, arrays: Arrays) -> None:
        """Save a state into a slot that does not hold the newest one, and return when it is on the disk."""
        newest = next(self._whole(), None)
        slot = next(slot for slot in self._slots if newest is None or slot != newest[0])
        generation = newest[1] + 1 if newest else 1
        self._target.write(f"resume/{slot}/generation", 0)
        self._target.write(f"resume/{slot}/step", step)
        for name in self._names:
            self._target.write(f"resume/{slot}/arrays/{name}", arrays[name])
        self._target.write(f"resume/{slot}/crc32", self._crc(slot))
        self._target.sync()
        self._target.write(f"resume/{slot}/generation", generation)
        self._target.sync()

    def forget(self, slot: str) -> None:
        """Let a slot's state count no more."""
        self._target.write(f"resume/{slot}/generation", 0)
        self._target.sync()
