"""What one checkpoint holds, as far as its own description says: its layers, and a key of its contents."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.importers import layers_of, read_many, read_tensors
from grokscope.importers.shard_index import SHARD
from grokscope.importers.tensors import Tensors
from grokscope.runfile import LeftOut
from grokscope.trajectory.content_crc import content_crc32, keep_crc32, kept_crc32, stamp_of
from grokscope.trajectory.layouts import Found, bare_name

NO_NAMES = ("", ".", "..")
Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class Source:
    """Where a checkpoint is: a path, and which of several in it, None where it is the only one."""

    name: str
    path: Path
    part: int | None = None

    def open(self) -> Tensors:
        """Open it; raises UsageError where that is not possible."""
        if self.part is None:
            return read_tensors(self.path)
        several = read_many(self.path)
        if several is None or self.part >= len(several):
            raise UsageError(f"{self.path} has changed; open it again")
        return several[self.part]


@dataclass(frozen=True)
class Layer:
    """A layer of one checkpoint: its name there, its weight's shape [out, in, ...], its kind and dtype, whether it
    has a bias, and what the reader should know of it.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    dtype: str
    bias: bool
    note: str = ""


@dataclass(frozen=True)
class Contents:
    """A checkpoint's description: nothing of it is a weight.

    `stamp` names its files with their sizes and times; `crc` is the CRC that a zip archive keeps of its contents.
    """

    layers: tuple[Layer, ...]
    left_out: tuple[LeftOut, ...]
    extra: Mapping[str, object]
    files: tuple[Path, ...]
    stamp: Stamp
    crc: int | None
    part: int | None

    def key(self) -> str:
        """Tell its contents: the zip archive's CRC, the hash that names a file of the hub's cache, or else a CRC
        of its files' bytes, which are then read.
        """
        blobs = [_blob(file) for file in self.files]
        if self.crc is not None:
            return f"{self.crc} {self.part}"
        return f"{' '.join(blobs) if all(blobs) else content_crc32(self.files)} {self.part}"

    def is_known_whole(self) -> bool:
        """Tell whether nothing is to be compared: it has no CRCs, or they were right and its files are as then."""
        return self.crc is None or all(kept_crc32(Path(file[0]), file[1:]) == self.crc for file in self.stamp)

    def keep_that_it_is_whole(self) -> None:
        """Keep that its bytes have their CRCs, for as long as its files stay as they are."""
        if self.crc is not None:
            for file in self.stamp:
                keep_crc32(Path(file[0]), file[1:], self.crc)

    @property
    def saved(self) -> float:
        """When its newest file was written, seconds since 1970."""
        return max(modified for _, _, modified, _ in self.stamp) / 1e9


@dataclass(frozen=True)
class Unreadable:
    """A checkpoint that cannot be read: why, and the stamp of all the files that may belong to it."""

    left_out: LeftOut
    stamp: Stamp


def sources_of(found: Found) -> list[Source]:
    """Return the checkpoint at a path, or the several that its one file holds; a damaged file counts as one."""
    try:
        parts = _parts(found.path, stamp_of(found.path)) if found.path.is_file() else 0
    except (UsageError, OSError):
        parts = 0
    return [Source(f"{found.name}[{part}]", found.path, part) for part in range(parts)] or [
        Source(found.name, found.path)
    ]


@lru_cache(maxsize=1 << 14)
def _parts(path: Path, stamp: tuple[int, ...]) -> int:
    """Count the checkpoints that a file holds several of, 0 for none, once for each state of the file."""
    return len(read_many(path) or ())


def contents_of(source: Source, network: str) -> Contents | Unreadable:
    """Read a checkpoint's description, or say why it cannot be read."""
    try:
        stamp = stamps_of(files_about(source.path))  # before reading: what is written meanwhile is read again
        return _contents(source, network)
    except UsageError as error:
        return Unreadable(LeftOut(source.name, str(error)), stamp)
    except OSError as error:  # it is being taken away
        return Unreadable(LeftOut(source.name, f"{source.path} cannot be read: {error.strerror}"), ())


def _contents(source: Source, network: str) -> Contents:
    tensors = source.open()
    try:
        layers, left_out = layers_of(tensors, network)
    finally:
        tensors.close()
    unkept = [LeftOut(s.name, "has a name that HDF5 cannot keep") for s in layers if s.name in NO_NAMES]
    rows = tuple(
        Layer(s.name, s.shape, s.kind, s.dtype, s.bias is not None, s.note)
        for s in layers
        if s.name not in NO_NAMES
    )
    files, crc = tensors.files, tensors.crc32()
    return Contents(rows, (*left_out, *unkept), tensors.extra, files, stamps_of(files), crc, source.part)


def files_about(path: Path) -> tuple[Path, ...]:
    """Return the files that a checkpoint is made of as far as names tell: of a folder all, of shards each."""
    if path.is_dir():
        return tuple(sorted(file for file in path.rglob("*") if file.is_file()))
    name = bare_name(path)
    shard = SHARD.match(name)
    beginning = glob.escape(shard["model"] if shard else name)
    return tuple(sorted(file for file in path.parent.glob(f"{beginning}*") if file.is_file()))


def stamps_of(files: tuple[Path, ...]) -> Stamp:
    """Return the files' names, sizes, and the times of their last write and change, in nanoseconds."""
    return tuple((str(file), *stamp_of(file)) for file in files)


def _blob(path: Path) -> str:
    """Return the content hash that names a file of the hub's cache, "" for any other."""
    target = Path(os.path.realpath(path))
    return target.name if target.parent.name == "blobs" and len(target.name) == 64 else ""
