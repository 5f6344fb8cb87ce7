"""A zip archive: its entries' bytes by name, each compared with the CRC that the directory holds of it."""

from __future__ import annotations

import zipfile
import zlib

from grokscope.errors import UsageError
from grokscope.importers.stored import BREAKS_OFF, Bytes

LOCAL_HEADER, SIGNATURE = 30, b"PK\x03\x04"
WITHIN_KERAS = "model.weights.h5"
"""The entry of a `.keras` archive that holds the weights."""
LARGE, MOST_EXPANDED = 128 << 20, 100
"""Numbers shrink to a third or a tenth; what unpacks to hundreds of MB from a hundredth is made to fill memory."""


class Archive:
    """The entries of a zip archive that is a file, or lies within one."""

    def __init__(self, file: Bytes, start: int = 0, length: int | None = None) -> None:
        """Read the directory; raises UsageError where there is none, or an entry would fill the memory."""
        self.path = file.path
        self._data = file[start : file.size if length is None else start + length]
        try:
            with zipfile.ZipFile(_Window(self._data)) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise UsageError(f"{self.path} {BREAKS_OFF}") from None
        self.entries = {entry.filename: entry for entry in entries}
        # as after torch.serialization.set_crc32_options(False)
        self._without_crc = all(entry.CRC == 0 for entry in entries)
        self._compared: set[str] = set()
        for entry in entries:
            if entry.file_size > LARGE and entry.file_size > MOST_EXPANDED * max(entry.compress_size, 1):
                raise UsageError(
                    f"{self.path} would unpack to {entry.file_size / 1e9:.1f} GB "
                    f"from {entry.compress_size / 1e6:.1f} MB, as no weights do; it is not opened"
                )

    def crc32(self, name: str) -> int | None:
        """Return the CRC that was stored with an entry, None where none were."""
        return None if self._without_crc else self.entries[name].CRC

    def content(self, name: str) -> memoryview:
        """Return an entry's bytes.

        Raises UsageError where it is missing, breaks off, or its bytes are not those that were written.
        """
        entry, packed = self._packed(name)
        stored = entry.compress_type == zipfile.ZIP_STORED
        content = packed.read() if stored else self._unpacked(packed, entry.file_size)
        if len(content) != entry.file_size:
            raise UsageError(f"{self.path} {BREAKS_OFF}")
        if name not in self._compared and not self._without_crc:
            if zlib.crc32(content) != entry.CRC:
                raise UsageError(
                    f"{self.path} is damaged: the bytes of {name!r} do not have the CRC that was written with "
                    "them; copy or save it again"
                )
            self._compared.add(name)
        return content

    def part(self, name: str, first: int, count: int) -> memoryview:
        """Return some of an entry's bytes, all of which have been compared once."""
        entry, packed = self._packed(name)
        if entry.compress_type != zipfile.ZIP_STORED or not (self._without_crc or name in self._compared):
            return self.content(name)[first : first + count]
        return packed[first : first + count].read()

    def head(self, name: str, count: int) -> bytes:
        """Return the first bytes of an entry, without comparing anything."""
        entry, packed = self._packed(name)
        if entry.compress_type == zipfile.ZIP_STORED:
            return bytes(packed[:count])
        return bytes(self._unpacked(packed, count))

    def _packed(self, name: str) -> tuple[zipfile.ZipInfo, Bytes]:
        entry = self.entries.get(name)
        if entry is None:
            raise UsageError(f"{self.path} lacks its entry {name!r}; copy or save it again")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise UsageError(f"{self.path} is compressed in a way that cannot be read; save it uncompressed")
        at = entry.header_offset
        header = bytes(self._data[at : at + LOCAL_HEADER])
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = at + LOCAL_HEADER + names
        packed = self._data[start : start + entry.compress_size]
        if header[:4] != SIGNATURE or len(packed) < entry.compress_size:
            raise UsageError(f"{self.path} {BREAKS_OFF}")
        return entry, packed

    def _unpacked(self, packed: Bytes, size: int) -> memoryview:
        try:
            return memoryview(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed.read(), size))
        except zlib.error:
            raise UsageError(
                f"{self.path} is damaged: a compressed entry cannot be unpacked; copy it again"
            ) from None


class _Window:
    """A part of a file, as the file that `zipfile` reads a directory from."""

    def __init__(self, data: Bytes) -> None:
        self._data, self._at = data, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        at = offset + (0, self._at, len(self._data))[whence]
        if at < 0:
            raise OSError("before the start")
        self._at = at
        return at

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count < 0 else self._at + count
        taken = bytes(self._data[self._at : end])
        self._at += len(taken)
        return taken
