"""A place for one training state in a run file: it counts once its generation is written, after its bytes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from grokscope.runfile.layout import Arrays
from grokscope.runfile.preallocated import PreallocatedFile, raw_bytes


class StateSlot:
    """A slot, the group `path` of an open run file: whole where its generation is positive and its CRC holds."""

    def __init__(self, file: PreallocatedFile, path: str, names: Sequence[str]) -> None:
        """Look at the slot of `file` that holds arrays of these names."""
        self._file, self._path, self._names = file, path, tuple(sorted(names))

    @property
    def generation(self) -> int:
        """A count that grows with every state saved; 0 where the slot is empty or being written."""
        return int(self._file.read(f"{self._path}/generation")[0])

    @property
    def step(self) -> int:
        """The step of the state."""
        return int(self._file.read(f"{self._path}/step")[0])

    @property
    def is_whole(self) -> bool:
        """Whether the slot holds a state, and all of it."""
        return self.generation > 0 and self._crc_holds()

    @property
    def is_damaged(self) -> bool:
        """Whether the slot should hold a whole state and does not; being empty or being written is no damage."""
        before = self.generation
        if before == 0 or (before > 0 and self._crc_holds()):
            return False
        return self.generation == before  # else a trainer has begun to write it meanwhile

    def load(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the state."""
        return {name: self._file.read(f"{self._path}/arrays/{name}") for name in self._names}

    def save(self, generation: int, step: int, arrays: Arrays) -> None:
        """Save a state, and return when it is on the disk."""
        self._file.write(f"{self._path}/generation", 0)
        self._file.write(f"{self._path}/step", step)
        for name in self._names:
            self._file.write(f"{self._path}/arrays/{name}", arrays[name])
        self._file.write(f"{self._path}/crc32", self._crc())
        self._file.sync()
        self._file.write(f"{self._path}/generation", generation)
        self._file.sync()

    def forget(self) -> None:
        """Let the state count no more."""
        self._file.write(f"{self._path}/generation", 0)
        self._file.sync()

    def _crc_holds(self) -> bool:
        return self._crc() == int(self._file.read(f"{self._path}/crc32")[0])

    def _crc(self) -> int:
        crc = zlib.crc32(raw_bytes(self._file.read(f"{self._path}/step")))
        for name in self._names:
            crc = zlib.crc32(raw_bytes(self._file.read(f"{self._path}/arrays/{name}")), crc)
        return crc
