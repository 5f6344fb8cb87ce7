"""TensorBoard's event files: records (TFRecord) of events, each with a step and scalars under tags."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.importers.protobuf import fields, floats
from grokscope.importers.stored import Bytes

STEP, SUMMARY = 2, 5
VALUE, TAG, SIMPLE, TENSOR = 1, 1, 2, 8
CONTENT, FLOATS, DOUBLES, DTYPE, SHAPE = 4, 5, 6, 1, 2
FLOAT32, FLOAT64 = 1, 2
"""Field numbers of `event.proto`, `summary.proto` and `tensor.proto`."""


def read_events(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the record, {"step": ..., tag: value}) of every event with scalars.

    A last record that breaks off, as in a file that is still written, is passed over. Raises UsageError where the
    file is none of TensorBoard's.
    """
    for number, record in enumerate(_records(path), 1):
        try:
            row = _event(record)
        except (ValueError, struct.error, UnicodeError):
            raise UsageError(f"{path} is damaged, or no event file of TensorBoard") from None
        if len(row) > 1:
            yield number, row


def _records(path: Path) -> Iterator[memoryview]:
    """Each record is its length, a checksum, its bytes and a checksum."""
    data, at = Bytes(path).data, 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        start, at = at + 12, at + 16 + length
        if at > len(data):
            return
        yield data[start : start + length]


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
