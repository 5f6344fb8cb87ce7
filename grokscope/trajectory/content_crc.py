"""A CRC of files' bytes: what a checkpoint's spectra are keyed by, so that a copy counts and a change is seen.

Reading everything is as fast as the disk, but a folder is opened often. What was computed is kept in the user's
cache folder with the file's size and the times of its last write and change, and computed anew when one of these
differs; so is the CRC of an archive whose own ones were found right. Of a file that was written a moment ago
nothing is kept: it could change again within the same tick.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from grokscope.files import cache_folder, write_to_cache

CHUNK = 4 << 20
TICK_NS = 2_000_000_000
"""The coarsest clock of a file system (FAT), in nanoseconds."""

Stamp = tuple[int, int, int]


def content_crc32(files: Sequence[Path]) -> int:
    """Return a CRC over the bytes of files, in the order given, whatever they are called."""
    return zlib.crc32(" ".join(str(_crc32(file)) for file in files).encode())


def stamp_of(file: Path) -> Stamp:
    """Return a file's size, and the times of its last write and change in nanoseconds."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _crc32(file: Path) -> int:
    stamp = stamp_of(file)
    known = kept_crc32(file, stamp)
    if known is not None:
        return known
    crc = 0
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    keep_crc32(file, stamp, crc)
    return crc


def _place(file: Path) -> Path:
    real = os.path.realpath(file).encode(errors="surrogateescape")
    return cache_folder() / "contents" / f"{zlib.crc32(real):08x}{zlib.adler32(real):08x}"


def _words(file: Path, stamp: Stamp) -> str:
    return " ".join(map(str, stamp)) + f" {os.path.realpath(file)}"


def kept_crc32(file: Path, stamp: Stamp) -> int | None:
    """Return the CRC that was kept of a file as it was at a stamp, None where none was."""
    try:
        crc, _, words = _place(file).read_text(encoding="utf-8", errors="surrogateescape").partition(" ")
        return int(crc) if words == _words(file, stamp) else None
    except (OSError, ValueError):
        return None


def keep_crc32(file: Path, stamp: Stamp, crc: int) -> None:
    """Keep the CRC of a file as it was at a stamp, unless it has changed since or could change unseen."""
    if stamp_of(file) != stamp or time.time_ns() - max(stamp[1:]) <= TICK_NS:
        return
    write_to_cache(_place(file), f"{crc} {_words(file, stamp)}".encode(errors="surrogateescape"))
