"""PyTorch's tensors as a pickle describes them: views (offset, size, stride) of storages, read when asked for."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.pickled_values import Name, NotReadable, Rebuild, Stub
from grokscope.importers.stored import StoredTensor, size_of
from grokscope.importers.tensors import CODES

STORAGE_DTYPES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool",
    "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32", "Untyped": "uint8",
}  # fmt: skip
"""torch.FloatStorage is one of float32."""
QUANTISED = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}


@dataclass(eq=False)
class Storage:
    """A flat array of a file; `read(first, count)` returns bytes of it as they lie there, uint8 [count]."""

    key: str
    dtype: str
    count: int
    read: Callable[[int, int], NDArray[np.uint8]]
    crc: int | None = None


@dataclass(eq=False)
class Opened:
    """What an unpickled checkpoint is made of: its storages by key."""

    storages: dict[str, Storage] = field(default_factory=dict)
    big_endian: bool = False

    def rebuild(self) -> dict[str, Rebuild]:
        """The functions that make tensors, by the names that pickles have for them."""
        return {
            "torch._utils._rebuild_tensor": self.view,
            "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *rest: self.view(
                storage, offset, size, stride
            ),
            "torch._utils._rebuild_tensor_v3": lambda storage, offset, size, stride, grad, hooks, dtype, *rest: (
                self.view(storage, offset, size, stride, _dtype(dtype))
            ),
            "torch._utils._rebuild_qtensor": lambda storage, offset, size, stride, *rest: unread(
                size, f"codes quantised by torch ({storage.dtype})"
            ),
            "torch._utils._rebuild_sparse_tensor": lambda layout, data: unread(
                next((part for part in data[::-1] if isinstance(part, tuple)), ()), "sparse"
            ),
            "torch._utils._rebuild_meta_tensor_no_storage": lambda dtype, size, *rest: unread(
                size, "without values"
            ),
            "torch._utils._rebuild_parameter": lambda data, *rest: parameter(data),
            "torch._utils._rebuild_parameter_with_state": lambda data, *rest: parameter(data),
            "torch.nn.parameter.Parameter": lambda data=None, *rest: parameter(data),
            "torch._tensor._rebuild_from_type_v2": lambda function, kind, arguments, state: self._call(
                function, arguments
            ),
            "torch.jit._pickle.restore_type_tag": lambda value, tag: value,
            "torch.jit._pickle.build_intlist": list,
            "torch.jit._pickle.build_doublelist": list,
            "torch.jit._pickle.build_boollist": list,
            "torch.jit._pickle.build_tensorlist": list,
        }

    def _call(self, function: object, arguments: tuple[Any, ...]) -> object:
        name = function.name if isinstance(function, Name) else "unnamed"
        known = self.rebuild().get(name) if name != "torch._tensor._rebuild_from_type_v2" else None
        return known(*arguments) if known else Stub(name, arguments)

    def view(
        self, storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], dtype: str = ""
    ) -> StoredTensor:
        """Return a view of a storage; raises NotReadable where it reaches beyond the storage."""
        if isinstance(storage, Stub) and storage.name == "torch.storage._load_from_bytes":
            raise NotReadable("was written by `pickle.dump`, not by `torch.save`")
        if not isinstance(storage, Storage) or len(size) != len(stride):
            raise NotReadable("is damaged")
        dtype = dtype or storage.dtype
        if not _is_known(dtype):  # kinds of numbers to come: left out by their name
            return unread(size, dtype)
        kind = np.dtype(CODES.get(dtype, QUANTISED.get(dtype, dtype)))
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        room = storage.count * item_size(storage.dtype) // kind.itemsize
        empty = 0 in size
        if min(*size, *stride, offset, 0) < 0 or (not empty and last >= room):
            raise NotReadable("is damaged: a tensor lies beyond its storage")
        if size_of(size) > room and not empty:  # one number shown many times: a small file could ask for terabytes
            return unread(size, "expanded from fewer numbers")
        read = partial(self._read, storage, kind, offset, tuple(size), tuple(stride))
        crc = None if storage.crc is None else zlib.crc32(repr((offset, stride)).encode(), storage.crc)
        identity = (storage.key, offset, tuple(size), tuple(stride))
        return StoredTensor(tuple(size), dtype, read, identity, crc=crc)

    def _read(
        self, storage: Storage, kind: np.dtype[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> NDArray[Any]:
        ordered = kind.newbyteorder(">" if self.big_endian else "<")
        if 0 in size:
            return np.empty(size, ordered)
        reach = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        flat = storage.read(offset * kind.itemsize, reach * kind.itemsize).view(ordered)
        steps = [step * kind.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(flat, size, steps, writeable=False)


def parameter(data: object) -> object:
    """Return a tensor as one that is trained."""
    if not isinstance(data, StoredTensor):
        return data
    return dataclasses.replace(data, parameter=True)


def unread(size: object, dtype: str) -> StoredTensor:
    """Return a tensor that is no array of numbers: `dtype` says what it is instead."""
    shape = tuple(size) if isinstance(size, tuple | list) and all(isinstance(n, int) for n in size) else ()

    def refuse() -> NDArray[Any]:
        raise UsageError(f"a tensor of shape {shape} is {dtype} and cannot be read")

    return StoredTensor(shape, dtype, refuse)


def storage_dtype(storage_type: object) -> str:
    """Return the dtype of a storage class such as `torch.FloatStorage`; raises NotReadable for others."""
    name = storage_type.name if isinstance(storage_type, Name) else ""
    kind = name.rpartition(".")[2].removesuffix("Storage")
    if kind not in STORAGE_DTYPES:
        raise NotReadable(f"holds numbers of a kind that is not known, {name or 'unnamed'}")
    return STORAGE_DTYPES[kind]


def _dtype(dtype: object) -> str:
    return dtype.name.removeprefix("torch.") if isinstance(dtype, Name) else "unnamed"


def _is_known(dtype: str) -> bool:
    try:
        np.dtype(CODES.get(dtype, QUANTISED.get(dtype, dtype)))
    except TypeError:
        return False
    return True


def item_size(dtype: str) -> int:
    """Return how many bytes a number of a dtype takes."""
    return np.dtype(CODES.get(dtype, QUANTISED.get(dtype, dtype))).itemsize
