"""The training states in a run file, a slot each.

Those to resume from are saved into two slots in turn, so that one whole state is always there. Others are kept for
good, each in a slot of its own: branches begin from them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.runfile.layout import Arrays, Layout
from grokscope.runfile.preallocated import PreallocatedFile, raw_bytes


class Stored(Protocol):
    """An open file whose datasets can be read by name."""

    def read(self, name: str) -> NDArray[Any]:
        """Return a whole dataset."""
        ...


class StateSlots:
    """The slots of a group of an open run file; one counts where its generation is positive and its CRC holds."""

    def __init__(self, file: Stored, group: str, slots: Sequence[str], names: Iterable[str]) -> None:
        """Look at the slots of `file` in a group, each with arrays of the given names."""
        self._file, self._group, self._slots = file, group, tuple(slots)
        self._names = tuple(sorted(names))

    @property
    def whole(self) -> tuple[str, ...]:
        """The slots with a whole state, the newest first."""
        return tuple(slot for slot, _ in self._whole())

    @property
    def damaged(self) -> tuple[str, ...]:
        """The slots that should hold a whole state and do not; being empty or being written is no damage."""
        return tuple(slot for slot in self._slots if self._is_damaged(slot))

    def step(self, slot: str) -> int:
        """Return the step of a slot's state."""
        return int(self._file.read(f"{self._group}/{slot}/step")[0])

    def load(self, slot: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a slot's state."""
        return {name: self._file.read(f"{self._group}/{slot}/arrays/{name}") for name in self._names}

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
        return int(self._file.read(f"{self._group}/{slot}/generation")[0])

    def _crc_holds(self, slot: str) -> bool:
        return self._crc(slot) == int(self._file.read(f"{self._group}/{slot}/crc32")[0])

    def _crc(self, slot: str) -> int:
        crc = zlib.crc32(raw_bytes(self._file.read(f"{self._group}/{slot}/step")))
        for name in self._names:
            crc = zlib.crc32(raw_bytes(self._file.read(f"{self._group}/{slot}/arrays/{name}")), crc)
        return crc

    def _save(self, target: PreallocatedFile, slot: str, generation: int, step: int, arrays: Arrays) -> None:
        """Save a state into a slot, and return when it is on the disk; it counts from its generation on, last."""
        path = f"{self._group}/{slot}"
        target.write(f"{path}/generation", 0)
        target.sync()  # else a loss of power may leave the old generation above new, torn arrays
        target.write(f"{path}/step", step)
        for name in self._names:
            target.write(f"{path}/arrays/{name}", arrays[name])
        target.write(f"{path}/crc32", self._crc(slot))
        target.sync()
        target.write(f"{path}/generation", generation)
        target.sync()


class ResumeSlots(StateSlots):
    """The two slots of the states to resume from."""

    def __init__(self, file: Stored, layout: Layout) -> None:
        """Look at the slots of `file`, which has the given layout."""
        super().__init__(file, "resume", layout.slots if layout.resume else (), layout.resume)

    @property
    def in_order(self) -> bool:
        """Whether the whole states can be told by their age: each was saved right after the other."""
        generations = [generation for _, generation in self._whole()]
        return len(generations) < 2 or generations[0] == generations[1] + 1


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
        self._save(self._target, slot, newest[1] + 1 if newest else 1, step, arrays)

    def forget(self, slot: str) -> None:
        """Let a slot's state count no more."""
        self._target.write(f"resume/{slot}/generation", 0)
        self._target.sync()


class KeptSlots(StateSlots):
    """The slots of the states that are kept for good, each written once."""

    def __init__(self, file: Stored, layout: Layout) -> None:
        """Look at the slots of `file`, which has the given layout."""
        super().__init__(file, "kept", [str(number) for number in range(layout.kept_states)], layout.resume)

    @property
    def steps(self) -> dict[int, str]:
        """The steps of the whole states, each with its slot."""
        return {self.step(slot): slot for slot in self.whole}

    def save(self, target: PreallocatedFile, step: int, arrays: Arrays) -> None:
        """Keep a state in `target`, the file itself open for writing, and return when it is on the disk.

        A state of the same step stays as it is. Raises UsageError where every slot is taken.
        """
        taken = self.steps
        if step in taken:
            return
        free = next((slot for slot in self._slots if slot not in taken.values()), None)
        if free is None:
            raise UsageError(f"the run file has room for {len(self._slots)} kept states, and all are taken")
        self._save(target, free, 1, step, arrays)
