"""PyTorch's files before version 1.6, and those of today saved with `_use_new_zipfile_serialization=False`.

Five pickles (a magic number, the version, facts of the system, the object, the keys of its storages), then for
each key eight bytes for the number of elements and the elements (`torch/serialization.py`, `_legacy_save`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.pickled_values import NotReadable
from grokscope.importers.stored import BREAKS_OFF, Bytes
from grokscope.importers.torch_tensors import Opened, Storage, item_size, storage_dtype
from grokscope.importers.torch_zip import why
from grokscope.importers.unpickler import Unpickler

MAGIC = 0x1950A86A20F9469CFC6C
LENGTH_BYTES = 8
FIRST_LENGTH = 1 << 20


def open_legacy(file: Bytes) -> Any:
    """Return what the file's pickle describes, or what a plain pickle does.

    Raises UsageError where it is damaged.
    """
    opened = Opened()
    try:
        magic, position = _load(file, 0, opened)
        if magic != MAGIC:
            return magic
        _, position = _load(file, position, opened)
        facts, position = _load(file, position, opened)
        opened.big_endian = isinstance(facts, dict) and facts.get("little_endian") is False
        loaded, position = _load(file, position, opened)
        keys, position = _load(file, position, opened)
    except NotReadable as error:
        raise UsageError(f"{file.path} {why(error)}") from None
    _place_storages(file, position, keys, opened)
    return loaded


def _load(file: Bytes, position: int, opened: Opened, length: int = FIRST_LENGTH) -> tuple[Any, int]:
    """Read the pickle at a position, which does not say how long it is, and return its end."""
    persistent = partial(_storage, file, opened)
    content = file[position : position + length].read()
    machine = Unpickler(content, rebuild=opened.rebuild(), persistent=persistent)
    try:
        return machine.load(), position + machine.position
    except NotReadable as error:
        if str(error) != "breaks off" or position + length >= file.size:
            raise
    return _load(file, position, opened, length * 8)


def _storage(file: Bytes, opened: Opened, key: Any) -> Any:
    """A storage whose place is not known yet: it comes behind the pickles."""
    if isinstance(key, tuple) and len(key) == 4 and key[0] == "module":
        return key[1]  # a class, with its source beside it
    if not isinstance(key, tuple) or len(key) != 6 or key[0] != "storage":
        raise NotReadable("is damaged")
    _, storage_type, name, _, count, view = key
    if view is not None:
        raise NotReadable("holds views of storages, as PyTorch wrote them before version 0.4")
    if name not in opened.storages:
        opened.storages[name] = Storage(name, storage_dtype(storage_type), count, partial(_unplaced, file))
    return opened.storages[name]


def _place_storages(file: Bytes, position: int, keys: Any, opened: Opened) -> None:
    if not isinstance(keys, list) or set(keys) != set(opened.storages):
        raise UsageError(f"{file.path} is damaged: the list of its storages is not that of its tensors")
    for key in keys:
        storage = opened.storages[key]
        length = file.array("int64", position, 1)[0]
        if length != storage.count:
            raise UsageError(f"{file.path} is damaged: a storage has another length than its tensors say")
        position += LENGTH_BYTES
        size = storage.count * item_size(storage.dtype)
        if position + size > file.size:
            raise UsageError(f"{file.path} {BREAKS_OFF}")
        storage.read = partial(_read, file[position : position + size])
        position += size


def _read(stored: Bytes, first: int, count: int) -> NDArray[np.uint8]:
    return stored.array("uint8", first, count)


def _unplaced(file: Bytes, first: int, count: int) -> NDArray[np.uint8]:
    raise UsageError(f"{file.path} {BREAKS_OFF}")
