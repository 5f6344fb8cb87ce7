"""A disk that may lose power: what a writer does to its files is recorded, and every state that it could leave.

Of what is not yet synced, any subset of the 512-byte sectors may be on the disk; and a renaming may be, until the
folder is synced. HDF5's own writing, at creation, counts as not synced until the file is.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECTOR = 512
Piece = tuple[int, bytes]


@dataclass
class Inode:
    """A file's bytes that are surely on the disk, and the pieces that may be."""

    durable: bytes = b""
    pending: list[Piece] = field(default_factory=list)


@dataclass(frozen=True)
class Moment:
    """What a loss of power could leave: of which files one stands at the path, and what was promised by then."""

    candidates: tuple[tuple[bytes, tuple[Piece, ...]], ...]
    promised: tuple[Any, ...]


class Disk:
    """Records the operations on one path while they are really done."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path, self.moments, self._promised = path, list[Moment](), list[Any]()
        self._inodes: dict[int, Inode] = {}
        self._names: list[int] = []  # the inodes that the name may lead to, the newest last
        self._wrap(patch, "pwrite", self._wrote)
        self._wrap(patch, "fdatasync", self._synced)
        self._wrap(patch, "fsync", self._synced)
        self._wrap(patch, "replace", self._replaced)

    def promise(self, what: Any) -> None:
        """Note that something has been acknowledged."""
        self._promised.append(what)
        self._look()

    def _wrap(self, patch: pytest.MonkeyPatch, name: str, record: Callable[..., None]) -> None:
        real = getattr(os, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            number = os.stat(arguments[0]).st_ino  # noqa: PTH116 (a descriptor or a path)
            result = real(*arguments, **options)
            record(number, *arguments)
            self._look()
            return result

        patch.setattr(os, name, wrapped)

    def _wrote(self, number: int, descriptor: int, data: bytes, offset: int) -> None:
        inode = self._inodes.setdefault(number, Inode())
        content, start = bytes(data), 0
        while start < len(content):
            length = min(SECTOR - (offset + start) % SECTOR, len(content) - start)
            inode.pending.append((offset + start, content[start : start + length]))
            start += length

    def _synced(self, number: int, descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            self._names = self._names[-1:]
            return
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        self._inodes[number] = Inode(content)

    def _replaced(self, number: int, source: Path, target: Path) -> None:
        if Path(target) == self.path:
            self._inodes.setdefault(number, Inode())
            self._names.append(number)

    def _look(self) -> None:
        found = (self._inodes[number] for number in self._names)
        self.moments.append(
            Moment(tuple((inode.durable, tuple(inode.pending)) for inode in found), tuple(self._promised))
        )


def states(moments: list[Moment], most: int) -> Iterator[tuple[bytes, tuple[Any, ...]]]:
    """Yield each different (content, promised) that a loss of power can leave, some `most` of a moment."""
    seen = set()
    generator = random.Random(0)
    for moment in moments:
        for durable, pending in moment.candidates:
            for chosen in _subsets(len(pending), most, generator):
                content = _with(durable, [pending[index] for index in chosen])
                if (key := (content, moment.promised)) not in seen:
                    seen.add(key)
                    yield key


def kills(moments: list[Moment]) -> Iterator[bytes]:
    """Yield each different content that a kill can leave: of what was done by then nothing is lost."""
    seen = None
    for moment in moments:
        for durable, pending in moment.candidates[-1:]:
            if (content := _with(durable, list(pending))) != seen:
                seen = content
                yield content


def _subsets(count: int, most: int, generator: random.Random) -> Iterator[tuple[int, ...]]:
    if 2**count <= most:
        for length in range(count + 1):
            yield from itertools.combinations(range(count), length)
        return
    everything = tuple(range(count))
    yield from ((), everything)
    yield from ((index,) for index in everything)
    yield from (everything[:index] + everything[index + 1 :] for index in everything)
    for _ in range(max(most - 2 * count - 2, 0)):
        yield tuple(index for index in everything if generator.random() < 0.5)


def _with(durable: bytes, pieces: list[Piece]) -> bytes:
    content = bytearray(durable)
    for offset, piece in pieces:
        if len(content) < offset + len(piece):
            content.extend(bytes(offset + len(piece) - len(content)))
        content[offset : offset + len(piece)] = piece
    return bytes(content)
