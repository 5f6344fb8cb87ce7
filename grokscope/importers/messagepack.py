"""Flax's checkpoints in MessagePack: nested dicts of arrays (`flax.serialization.msgpack_serialize`).

The format is that of https://msgpack.org; Flax's arrays are extension 1, scalars extension 3, each (shape, name of
the dtype, bytes) packed in turn, and arrays above 1 GB are cut into chunks.
"""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.layer_names import is_of_optimizer
from grokscope.importers.stored import BREAKS_OFF, CHANNELS_LAST, Bytes, StoredTensor, StoredTensors, size_of
from grokscope.importers.tensors import CODES
from grokscope.importers.torch_tree import plain

DEEPEST, MOST_ENTRIES = 32, 1_000_000
ARRAY, SCALAR = 1, 3
CHUNKED = "__msgpack_chunked_array__"
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = dict(zip(range(0xCA, 0xD4), "fdBHIQbhiq", strict=True))
"""How a number of each code lies, in `struct`'s letters."""
LENGTHS = {
    first + place: letter
    for first, letters in ((0xC4, "BHI"), (0xC7, "BHI"), (0xD9, "BHI"), (0xDC, "HI"), (0xDE, "HI"))
    for place, letter in enumerate(letters)
}
"""How the length lies of what is as long as it says."""


def read_messagepack(path: Path) -> StoredTensors:
    """Open what `flax.serialization.to_bytes` or `flax.training.checkpoints` wrote.

    Raises UsageError where it is damaged, breaks off or holds no array.
    """
    file = Bytes(path)
    try:
        tree = Unpacker(file).value()
        tensors: dict[str, StoredTensor] = {}
        extra: dict[str, object] = {}
        _flatten(tree, (), tensors, extra)
    except (struct.error, IndexError):
        raise UsageError(f"{path} {BREAKS_OFF}") from None
    except (ValueError, TypeError, KeyError, UnicodeError, AttributeError):
        raise UsageError(f"{path} is no checkpoint of Flax; save it by flax.serialization.to_bytes") from None
    if not tensors:
        raise UsageError(f"{path} holds no arrays; save the parameters of the model")
    return StoredTensors(path, tensors, extra, files=(path,))


class Unpacker:
    """Reads values from packed bytes, one after another; arrays stay where they are."""

    def __init__(self, data: Bytes) -> None:
        """Stand before the first value."""
        self._data, self._at, self._entries = data, 0, 0

    def value(self, depth: int = 0) -> Any:
        """Return the next value; raises IndexError, struct.error or ValueError where there is none."""
        code = self._take(1)[0]
        if depth > DEEPEST or self._entries > MOST_ENTRIES:
            raise ValueError("too many values")
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 0x100
        if code < 0x90:
            return self._dict(code & 15, depth)
        if code < 0xA0:
            return self._list(code & 15, depth)
        if code < 0xC0:
            return self._text(code & 31)
        if code in CONSTANTS:
            return CONSTANTS[code]
        if code in NUMBERS:
            return self._number(NUMBERS[code])
        if 0xD4 <= code < 0xD9:
            return self._extension(1 << (code - 0xD4))
        return self._sized(code, self._number(LENGTHS[code]), depth)

    def _sized(self, code: int, count: int, depth: int) -> Any:
        """Return the bytes, extension, text, list or dict whose length has been read."""
        if code < 0xC7:
            return self._take(count)
        if code < 0xCA:
            return self._extension(count)
        if code < 0xDC:
            return self._text(count)
        return self._list(count, depth) if code < 0xDE else self._dict(count, depth)

    def _take(self, count: int) -> Bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise IndexError
        self._at += count
        return taken

    def _text(self, count: int) -> str:
        return bytes(self._take(count)).decode()

    def _number(self, layout: str) -> Any:
        return struct.unpack(f">{layout}", bytes(self._take(struct.calcsize(f">{layout}"))))[0]

    def _dict(self, count: int, depth: int) -> dict[str, Any]:
        made = {}
        for _ in range(count):
            self._entries += 1
            name = self.value(depth + 1)
            made[str(name)] = self.value(depth + 1)
        return made

    def _list(self, count: int, depth: int) -> list[Any]:
        self._entries += count
        if self._entries > MOST_ENTRIES:
            raise ValueError("too many values")
        return [self.value(depth + 1) for _ in range(count)]

    def _extension(self, count: int) -> Any:
        kind, data = self._take(1)[0], self._take(count)
        if kind not in (ARRAY, SCALAR):
            return None
        shape, dtype, content = Unpacker(data).value()
        tensor = _array(tuple(shape), str(dtype), content)
        return tensor if kind == ARRAY else plain(tensor)


def _array(shape: tuple[int, ...], dtype: str, content: Bytes) -> StoredTensor:
    kind = np.dtype(CODES.get(dtype, dtype))
    if not isinstance(content, Bytes) or size_of(shape) * kind.itemsize != len(content):
        raise ValueError("an array's bytes do not fit its shape")
    return StoredTensor(
        shape, dtype, lambda: np.frombuffer(content.read(), dtype=kind).reshape(shape), layout=CHANNELS_LAST
    )


def _chunked(node: dict[str, Any]) -> StoredTensor:
    chunks = [node["chunks"][str(index)] for index in range(len(node["chunks"]))]
    shape = tuple(node["shape"][str(index)] for index in range(len(node["shape"])))
    if sum(size_of(chunk.shape) for chunk in chunks) != size_of(shape):
        raise ValueError("chunks do not make up their array")
    return StoredTensor(shape, chunks[0].dtype, partial(_joined, chunks, shape), layout=CHANNELS_LAST)


def _joined(chunks: list[StoredTensor], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.concatenate([chunk.read().reshape(-1) for chunk in chunks]).reshape(shape)


def _flatten(node: Any, path: tuple[str, ...], tensors: dict[str, StoredTensor], extra: dict[str, object]) -> None:
    if isinstance(node, dict) and CHUNKED in node:
        node = _chunked(node)
    if isinstance(node, dict):
        for name, value in node.items():
            _flatten(value, (*path, name), tensors, extra)
    elif isinstance(node, StoredTensor) and node.shape:
        if not is_of_optimizer("/".join(path)):
            tensors["/".join(path)] = node
    elif (value := plain(node)) is not None:
        extra[".".join(path)] = value
