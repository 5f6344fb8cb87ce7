"""TensorBoard's event files: records (TFRecord) of events, each with a step and scalars under tags."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from grokscope.errors import UsageError
from grokscope.files import kind_of
from grokscope.importers.protobuf import fields, floats

STEP, SUMMARY = 2, 5
VALUE, TAG, SIMPLE, TENSOR = 1, 1, 2, 8
CONTENT, FLOATS, DOUBLES, DTYPE, SHAPE = 4, 5, 6, 1, 2
FLOAT32, FLOAT64 = 1, 2
"""Field numbers of `event.proto`, `summary.proto` and `tensor.proto`."""
LARGEST_COMPARED = 1 << 16
"""Scalars are far smaller; the checksums of pictures and histograms would take long, and none is read."""


def read_events(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the record, {"step": ..., tag: value}) of every event with scalars.

    A last record that breaks off, as in a file that is still written, is passed over. Raises UsageError where the
    file is none of TensorBoard's.
    """
    for number, record in enumerate(_records(path), 1):
        try:
            row = _event(memoryview(record))
        except (ValueError, struct.error, UnicodeError):
            raise UsageError(f"{path} is damaged, or no event file of TensorBoard") from None
        if len(row) > 1:
            yield number, row


def _records(path: Path) -> Iterator[bytes]:
    """Each record is its length, a checksum, its bytes and a checksum: the masked CRC-32C of TFRecord.

    The file may grow meanwhile.
    """
    if (kind := kind_of(path)) != "a file":
        raise UsageError(f"{path} is {kind}; give an event file of TensorBoard")
    try:
        with path.open("rb") as file:
            yield from _records_in(file, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _records_in(file: BinaryIO, path: Path) -> Iterator[bytes]:
    size, at = os.fstat(file.fileno()).st_size, 0
    while len(head := file.read(12)) == 12:
        length = int.from_bytes(head[:8], "little")
        if _checksum(head[:8]) != head[8:]:
            raise UsageError(f"{path} is damaged at byte {at:,}, or no event file of TensorBoard; copy it again")
        if at + 16 + length > size:
            return
        record, checksum = file.read(length), file.read(4)
        if length <= LARGEST_COMPARED and _checksum(record) != checksum:
            raise UsageError(
                f"{path} is damaged: the record at byte {at:,} is not what was written; copy it again"
            )
        yield record
        at += 16 + length


def _checksum(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_32C[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (byte & 1) * 0x82F63B78  # Castagnoli's polynomial, reflected
    return byte


CRC_32C = tuple(map(_remainder, range(256)))


def _event(record: memoryview) -> dict[str, Any]:
    row: dict[str, Any] = {"step": 0}
    for number, value in fields(record):
        if number == STEP and isinstance(value, int):
            row["step"] = value
        elif number == SUMMARY and not isinstance(value, int):
            row |= {tag: scalar for tag, scalar in map(_scalar, _values(value)) if scalar is not None}
    return row


def _values(summary: memoryview) -> Iterator[memoryview]:
    return (value for number, value in fields(summary) if number == VALUE)


def _scalar(value: memoryview) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, content in fields(value):
        if number == TAG:
            tag = str(content, "utf-8")
        elif number == SIMPLE:
            scalar = floats(content)[0]
        elif number == TENSOR:
            scalar = _of_tensor(content)
    return tag, scalar


def _of_tensor(tensor: memoryview) -> float | None:
    """The number of a tensor that holds one, as TensorFlow 2 writes scalars."""
    parts = dict(fields(tensor))
    layout = {FLOAT32: "f", FLOAT64: "d"}.get(parts.get(DTYPE, 0))
    if layout is None or any(True for _ in fields(parts.get(SHAPE, memoryview(b"")))):
        return None
    content = parts.get(CONTENT) or parts.get(FLOATS if layout == "f" else DOUBLES)
    numbers = floats(content, layout) if content else []
    return numbers[0] if len(numbers) == 1 else None
