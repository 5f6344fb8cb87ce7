"""Is all that an HDF5 file holds its own, and of a size that may be read? Looked at before anything is read.

HDF5 lets a file refer to others (external links, external storage, virtual datasets) and a few bytes stand for
gigabytes (compression, fill values). A file from elsewhere could have other files read, or the memory filled.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py

from grokscope.turns import in_turns, rest

LARGEST_PIECE = 1 << 26
MOST_MAPPED = 1 << 24
EXPANSION = 8  # times the file's own size
HEAP = b"GCOL\x01\0\0\0"
_PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.STRING)


class NotItsOwn(ValueError):
    """Something in an HDF5 file leads out of it, or stands for far more bytes than the file has."""


def refuse_foreign(file: h5py.File) -> None:
    """Raise NotItsOwn where a file holds anything but groups and datasets of its own, reached by hard links.

    What is read at once of a dataset (a row of those of layers, all of others) has to lie in the file as it is, or
    to be smaller than 64 MiB or eight times the file.
    """
    size = file.id.get_filesize()

    # what this returns ends the visit; it must not raise, for HDF5 goes on after that
    def look_at_object(name: bytes, found: h5py.h5o.ObjInfo) -> str | None:
        if found.type != h5py.h5o.TYPE_DATASET:
            return None
        try:
            return _why_foreign(_text(name), h5py.h5d.open(file.id, name), size)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            return f"{_text(name)} cannot be opened ({error})"

    linked_names(file)
    if why := h5py.h5o.visit(file.id, look_at_object, info=True):
        raise NotItsOwn(why)


def linked_names(file: h5py.File) -> list[bytes]:
    """Return the names of all groups and datasets; raises NotItsOwn where a link is no hard one."""
    names: list[bytes] = []

    def look(name: bytes, link: h5py.h5l.LinkInfo) -> str | None:
        names.append(name)
        rest(len(names), 100)
        return None if link.type == h5py.h5l.TYPE_HARD else f"{_text(name)} is a link that leads elsewhere"

    if why := file.id.links.visit(look, info=True):
        raise NotItsOwn(why)
    return names


def refuse_endless(file: h5py.File, arrays: Iterable[tuple[int, int]] | None = None) -> None:
    """Raise NotItsOwn where HDF5 would walk for ever through the heap that holds the texts of attributes.

    It does so where an entry has neither index nor size, as in a sector of zeros. Attributes are read after this.
    `arrays` are the offset and size of every dataset, for a caller that knows them.
    """
    known = sorted(_arrays(file) if arrays is None else arrays)
    with Path(file.filename).open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
        kept = 0
        for start, end in in_turns(_between(known, len(content)), 200):
            if start - kept > MOST_MAPPED:
                content.madvise(mmap.MADV_DONTNEED)
                kept = start
            while (at := content.find(HEAP, start, end)) >= 0:
                if not _heap_ends(content, at):
                    raise NotItsOwn("the texts of its attributes are damaged")
                start = at + len(HEAP)


def _arrays(file: h5py.File) -> list[tuple[int, int]]:
    """Return the offset and size of every dataset that can be opened."""
    arrays: list[tuple[int, int]] = []

    def look(name: bytes, found: h5py.h5o.ObjInfo) -> None:
        if found.type == h5py.h5o.TYPE_DATASET:
            with contextlib.suppress(KeyError, OSError, RuntimeError, ValueError):  # told by who reads it
                dataset = h5py.h5d.open(file.id, name)
                arrays.append((dataset.get_offset() or 0, dataset.get_storage_size()))

    h5py.h5o.visit(file.id, look, info=True)
    return arrays


def _between(arrays: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Yield where the bytes lie, first and past the last, that are no array's: HDF5's own."""
    start = 0
    for offset, length in arrays:
        if length and offset >= start:
            yield start, offset
            start = offset + length
    yield start, size


def _heap_ends(content: mmap.mmap, at: int) -> bool:
    """Walk through a heap's entries as HDF5 does: an index of two bytes, six others, a size, and as many bytes."""
    end = at + int.from_bytes(content[at + 8 : at + 16], "little")
    at += 16
    while at + 16 <= min(end, len(content)):
        index, _, size = struct.unpack_from("<H6sQ", content, at)
        if not (needed := 16 + (size + 7) // 8 * 8 if index else size):
            return False
        at += needed
    return True


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _why_foreign(name: str, dataset: h5py.h5d.DatasetID, file_size: int) -> str | None:
    creation, kind = dataset.get_create_plist(), dataset.get_type()
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL or (layout == h5py.h5d.CONTIGUOUS and creation.get_external_count()):
        return f"the data of {name} lie in another file"
    if kind.get_class() not in _PLAIN or (kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()):
        return f"{name} holds no plain numbers"
    if layout == h5py.h5d.CONTIGUOUS and (offset := dataset.get_offset()) is not None:
        if offset + math.prod(dataset.shape) * kind.get_size() > file_size:
            return f"{name} would go on beyond the end of the file"
        return None
    chunk = creation.get_chunk() if layout == h5py.h5d.CHUNKED else ()
    at_once = dataset.shape[1:] if name.startswith("layers/") else dataset.shape
    if max(math.prod(at_once), math.prod(chunk)) * kind.get_size() > max(LARGEST_PIECE, EXPANSION * file_size):
        return f"{name} would be far larger in memory than it is in the file"
    return None
