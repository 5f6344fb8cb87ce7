"""ONNX: the initialisers of a model's graph, read from its protocol buffer without the library.

Fields by their numbers in `onnx.proto`. A matrix that is multiplied from the right (MatMul, Gemm without transB)
lies as [in, out].
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.protobuf import fields, floats, integers
from grokscope.importers.stored import CHANNELS_LAST, Bytes, StoredTensor, StoredTensors, size_of
from grokscope.importers.tensors import CODES

GRAPH, NODE, INITIALIZER = 7, 1, 5
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA, DOUBLE_DATA, EXTERNAL, LOCATION = 1, 2, 4, 8, 9, 10, 13, 14
INPUT, OP_TYPE, ATTRIBUTE = 1, 4, 5
DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3fn", 19: "float8_e5m2",
}  # fmt: skip

Content = dict[int, list[Any]]
Place = tuple[Path, int]


def read_onnx(path: Path) -> StoredTensors:
    """Open a model, with the weights that it keeps in a file beside it; raises UsageError where it is damaged."""
    file = Bytes(path)
    try:
        graph = [value for number, value in fields(file) if number == GRAPH]
        content = list(fields(graph[0]))
        right = dict(_multiplied_from_right(value for number, value in content if number == NODE))
        described = [_by_number(value) for number, value in content if number == INITIALIZER]
        places = [_place(path, one) for one in described]
        tensors = dict(_tensor(path, one, place, right) for one, place in zip(described, places, strict=True))
    except (ValueError, IndexError, TypeError, UnicodeError, KeyError):
        raise UsageError(f"{path} is damaged, or no model of ONNX; export it again") from None
    if not tensors:
        raise UsageError(f"{path} holds no weights; export the model with its parameters")
    return StoredTensors(
        path, tensors, files=tuple(dict.fromkeys((path, *(place[0] for place in places if place))))
    )


def _multiplied_from_right(nodes: Iterator[Any]) -> Iterator[tuple[str, str]]:
    """Names of the weights that lie as [in, out]."""
    for node in nodes:
        inputs = [bytes(value).decode() for number, value in fields(node) if number == INPUT]
        kind = next((bytes(value).decode() for number, value in fields(node) if number == OP_TYPE), "")
        turned = kind == "Gemm" and any(
            _is_set(value, "transB") for number, value in fields(node) if number == ATTRIBUTE
        )
        if kind in ("MatMul", "Gemm") and not turned and len(inputs) > 1:
            yield inputs[1], CHANNELS_LAST


def _is_set(attribute: Any, name: str) -> bool:
    content = dict(fields(attribute))
    return bytes(content.get(1, b"")) == name.encode() and content.get(3) == 1


def _by_number(message: Any) -> Content:
    content: Content = {}
    for number, value in fields(message):
        content.setdefault(number, []).append(value)
    return content


def _place(path: Path, content: Content) -> Place | None:
    """Return the file beside the model that holds a tensor's numbers, and where; None where the model does."""
    if content.get(LOCATION) != [1]:
        return None
    pairs = dict(_pair(entry) for entry in content.get(EXTERNAL, ()))
    beside = pairs.get("location", "")
    if Path(beside).name != beside:
        raise UsageError(f"{path} keeps weights outside its folder; export it again")
    if not (path.parent / beside).is_file():
        raise UsageError(f"{path.parent} lacks {beside!r}, where {path.name} keeps weights; copy it there")
    return path.parent / beside, int(pairs.get("offset", 0))


def _tensor(path: Path, content: Content, place: Place | None, right: dict[str, str]) -> tuple[str, StoredTensor]:
    name = bytes(content[NAME][0]).decode()
    shape = tuple(length for value in content.get(DIMS, ()) for length in integers(value))
    dtype = DTYPES.get(content[DATA_TYPE][0], f"ONNX type {content[DATA_TYPE][0]}")
    read = partial(_read, path, name, shape, dtype, content, place)
    return name, StoredTensor(shape, dtype, read, layout=right.get(name, "") if len(shape) == 2 else "")


def _pair(entry: Any) -> tuple[str, str]:
    content = dict(fields(entry))
    return bytes(content[1]).decode(), bytes(content[2]).decode()


def _read(
    path: Path,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    content: Content,
    place: Place | None,
) -> NDArray[Any]:
    kind = np.dtype(CODES.get(dtype, dtype)).newbyteorder("<")
    if place:
        file, first = place
        return Bytes(file).array(dtype, first, size_of(shape)).reshape(shape)
    if RAW_DATA in content:
        values = np.frombuffer(content[RAW_DATA][0].read(), dtype=kind)
    else:
        number, layout = (DOUBLE_DATA, "d") if dtype == "float64" else (FLOAT_DATA, "f")
        values = np.array([one for part in content.get(number, ()) for one in floats(part, layout)], dtype=kind)
    if values.size != size_of(shape):
        raise UsageError(f"{path} is damaged: {name} does not have as many numbers as its shape; export it again")
    return values.reshape(shape)
