"""The tensors of one checkpoint, as every format's reader returns them."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.tensors import CODES
from grokscope.runfile import LeftOut

CHANNELS_LAST = "channels last"
BREAKS_OFF = "breaks off before its end; copy or save it again"
BLOCK = 4096
SCALES = ("adapter.", "lora_scale.")
"""How the plain values that change a weight begin (`lora_scale` in composed_weights.py)."""


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file: its shape and dtype, and how it is read.

    `identity` is equal for two tensors that are one array, and None where that is not known. `parameter` tells
    what is trained (True) from buffers (False), None where the file does not say. `layout` is how its axes lie:
    "" is PyTorch's [out, in, ...], CHANNELS_LAST Keras's and Flax's [..., in, out].
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], NDArray[Any]]
    identity: Hashable | None = None
    parameter: bool | None = None
    layout: str = ""
    crc: int | None = None


@dataclass(frozen=True, eq=False)
class StoredTensors:
    """One checkpoint: its tensors by name, and the plain values beside them.

    A `/` in a name stands between containers ("model_state_dict/fc.weight", "optimizer/state/0/exp_avg"), a dot
    between modules. What cannot be printed in a name stands as its escape, since no run file takes it.
    """

    path: Path
    tensors: Mapping[str, StoredTensor]
    extra: Mapping[str, object] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        """Escape what cannot be printed in the names."""
        object.__setattr__(self, "tensors", {_printable(name): tensor for name, tensor in self.tensors.items()})

    def names(self) -> list[str]:
        """Names of the tensors, in the order of the file."""
        return list(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape."""
        return self.tensors[name].shape

    def dtype(self, name: str) -> str:
        """A tensor's dtype, as it is stored."""
        return self.tensors[name].dtype

    def read(self, name: str) -> NDArray[Any]:
        """Return a tensor as it is stored; floats that NumPy does not know as their codes."""
        return self.tensors[name].read()

    def crc32(self) -> int | None:
        """Return a CRC over the CRCs of all tensors, where the format keeps those; else None.

        And over the plain values that change a weight, the scales of adapters.
        """
        facts = [(name, tensor.shape, tensor.dtype, tensor.crc) for name, tensor in self.tensors.items()]
        if any(fact[-1] is None for fact in facts):
            return None
        scales = [pair for pair in self.extra.items() if pair[0].startswith(SCALES)]
        return zlib.crc32(repr([*facts, *scales]).encode())

    def close(self) -> None:
        """Let go of the files."""
        self.opened.close()


class Bytes:
    """A file's bytes, or a stretch of them (a slice): each is read when it is asked for.

    Nothing is mapped: that would end the process where another one empties the file, as saving over it does.
    """

    def __init__(self, path: Path) -> None:
        """Open a regular file; raises UsageError where that is not possible."""
        self.path = path
        self._first = 0
        self._file = _Opened(path)
        self.size = self._file.written[0]

    def __len__(self) -> int:
        """How many bytes there are."""
        return self.size

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> Bytes: ...
    def __getitem__(self, at: int | slice) -> int | Bytes:
        """Return a byte, or a stretch of which nothing is read yet."""
        if isinstance(at, slice):
            first, last, _ = at.indices(self.size)
            part = Bytes.__new__(Bytes)
            part.path, part._file = self.path, self._file
            part._first, part.size = self._first + first, max(last - first, 0)
            return part
        if not 0 <= at < self.size:
            raise IndexError(at)
        return self._file.byte(self._first + at)

    def __bytes__(self) -> bytes:
        """Read all."""
        return bytes(self.read())

    def read(self) -> memoryview:
        """Read all; raises UsageError where the file has been written since it was opened."""
        content = np.empty(self.size, np.uint8).data
        self._file.read_into(content, self._first)
        return content.toreadonly()

    def array(self, dtype: str, offset: int, count: int) -> NDArray[Any]:
        """Return `count` numbers from byte `offset` on; raises UsageError past the end."""
        kind = np.dtype(CODES.get(dtype, dtype)).newbyteorder("<")
        end = offset + count * kind.itemsize
        if offset < 0 or count < 0 or end > self.size:
            raise UsageError(f"{self.path} {BREAKS_OFF}")
        return np.frombuffer(self[offset:end].read(), dtype=kind)


class _Opened:
    """A regular file that is open as long as something asks for its bytes."""

    def __init__(self, path: Path) -> None:
        self.path, self._block = path, (0, b"")
        try:
            self._number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
        if not stat.S_ISREG(os.fstat(self._number).st_mode):
            raise UsageError(f"{path} is no regular file; give a file or a folder of checkpoints")
        self.written = self._written()

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            os.close(self._number)

    def _written(self) -> tuple[int, int]:
        status = os.fstat(self._number)
        return status.st_size, status.st_mtime_ns

    def read_into(self, content: memoryview, at: int) -> None:
        try:
            while content and (count := os.preadv(self._number, [content], at)):
                content, at = content[count:], at + count
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror or error}") from None
        if content or self._written() != self.written:
            raise UsageError(f"{self.path} was written a moment ago; try again")

    def byte(self, at: int) -> int:
        """Return one byte: those around it are asked for next."""
        first, block = self._block
        if not 0 <= at - first < len(block):
            first, content = at, bytearray(min(BLOCK, self.written[0] - at))
            self.read_into(memoryview(content), first)
            self._block = first, block = first, bytes(content)
        return block[at - first]


def _printable(name: str) -> str:
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def size_of(shape: Iterable[int]) -> int:
    """Return how many entries a shape has; Python's integers do not overflow."""
    entries = 1
    for length in shape:
        entries *= length
    return entries
