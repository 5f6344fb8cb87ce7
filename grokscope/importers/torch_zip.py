"""PyTorch's files since version 1.6: a zip archive with a pickle and one uncompressed entry a storage."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.pickled_values import NotReadable
from grokscope.importers.stored import BREAKS_OFF
from grokscope.importers.torch_tensors import Opened, Storage, item_size, storage_dtype
from grokscope.importers.unpickler import Unpickler
from grokscope.importers.zip_archive import Archive

LARGEST_PICKLE = 256 << 20
PICKLE = "data.pkl"


def open_zip(archive: Archive) -> Any:
    """Return what the archive's pickle describes.

    Raises UsageError where it is damaged, or no archive of PyTorch's.
    """
    pickles = [name for name in archive.entries if name.rpartition("/")[2] == PICKLE]
    if not pickles:
        raise UsageError(
            f"{archive.path} is a zip archive, but no whole checkpoint of PyTorch; save `model.state_dict()` again"
        )
    root = min(pickles, key=len).removesuffix(PICKLE)  # the folder is named after the file as it was saved
    if archive.entries[root + PICKLE].file_size > LARGEST_PICKLE:
        raise UsageError(f"{archive.path} holds more than weights; save `model.state_dict()` alone")
    order = f"{root}byteorder"
    opened = Opened(big_endian=order in archive.entries and archive.head(order, 3) == b"big")
    persistent = partial(_storage, archive, root, opened)
    try:
        machine = Unpickler(archive.content(root + PICKLE), rebuild=opened.rebuild(), persistent=persistent)
        return machine.load()
    except NotReadable as error:
        raise UsageError(f"{archive.path} {why(error)}") from None


def why(error: NotReadable) -> str:
    """Say what is to be done about a pickle that cannot be read."""
    return BREAKS_OFF if str(error) == "breaks off" else f"{error}; save `model.state_dict()` again"


def _storage(archive: Archive, root: str, opened: Opened, key: Any) -> Storage:
    if not isinstance(key, tuple) or len(key) != 5 or key[0] != "storage":
        raise NotReadable("is damaged")
    _, storage_type, name, _, _ = key
    if not isinstance(name, str):
        raise NotReadable("is damaged")
    if name not in opened.storages:
        entry, dtype = f"{root}data/{name}", storage_dtype(storage_type)
        if entry not in archive.entries:
            raise NotReadable(f"lacks the numbers of a tensor (data/{name})")
        count = archive.entries[entry].file_size // item_size(dtype)
        opened.storages[name] = Storage(name, dtype, count, partial(_read, archive, entry), archive.crc32(entry))
    return opened.storages[name]


def _read(archive: Archive, entry: str, first: int, count: int) -> NDArray[np.uint8]:
    return np.frombuffer(archive.part(entry, first, count), dtype=np.uint8)
