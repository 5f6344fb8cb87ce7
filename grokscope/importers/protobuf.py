"""Protocol buffers on the wire: the numbered fields of a message, without its description.

The encoding: https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from grokscope.importers.stored import Bytes

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def fields(message: memoryview | Bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of each field: an int, or the bytes of a text, message, packed list or fixed number.

    Raises ValueError where the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == LENGTH:
            size, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError("no field of a message")
        if at + size > len(message):
            raise ValueError("a message breaks off")
        yield key >> 3, message[at : at + size]
        at += size


def floats(value: memoryview | Bytes, layout: str = "f") -> list[float]:
    """Return the floats of a fixed or packed field."""
    size = struct.calcsize(layout)
    return list(struct.unpack(f"<{len(value) // size}{layout}", bytes(value[: len(value) // size * size])))


def integers(value: Any) -> list[int]:
    """Return the integers of a field, alone or packed."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _varint(message: memoryview | Bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("a message breaks off")
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("no number")
