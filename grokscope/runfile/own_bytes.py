"""Is all that an HDF5 file holds its own, and of a size that may be read? Looked at before anything is read.

HDF5 lets a file refer to others (external links, external storage, virtual datasets) and a few bytes stand for
gigabytes (compression, fill values). A file from elsewhere could have other files read, or the memory filled.
"""

from __future__ import annotations

import math

import h5py

LARGEST_PIECE = 1 << 26
EXPANSION = 8  # times the file's own size
_PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.STRING)


class NotItsOwn(ValueError):
    """Something in an HDF5 file leads out of it, or stands for far more bytes than the file has."""


def refuse_foreign(file: h5py.File) -> None:
    """Raise NotItsOwn where a file holds anything but groups and datasets of its own, reached by hard links.

    What is read at once of a dataset (a row of those of layers, all of others) has to lie in the file as it is, or
    to be smaller than 64 MiB or eight times the file.
    """
    size = file.id.get_filesize()

    # what these return ends the visit; they must not raise, for HDF5 goes on after that
    def look_at_link(name: bytes, link: h5py.h5l.LinkInfo) -> str | None:
        return None if link.type == h5py.h5l.TYPE_HARD else f"{_text(name)} is a link that leads elsewhere"

    def look_at_object(name: bytes, found: h5py.h5o.ObjInfo) -> str | None:
        if found.type != h5py.h5o.TYPE_DATASET:
            return None
        try:
            return _why_foreign(_text(name), h5py.h5d.open(file.id, name), size)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            return f"{_text(name)} cannot be opened ({error})"

    why = file.id.links.visit(look_at_link, info=True) or h5py.h5o.visit(file.id, look_at_object, info=True)
    if why:
        raise NotItsOwn(why)


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _why_foreign(name: str, dataset: h5py.h5d.DatasetID, file_size: int) -> str | None:
    creation, kind = dataset.get_create_plist(), dataset.get_type()
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL or (layout == h5py.h5d.CONTIGUOUS and creation.get_external_count()):
        return f"the data of {name} lie in another file"
    if kind.get_class() not in _PLAIN or (kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()):
        return f"{name} holds no plain numbers"
    if layout == h5py.h5d.CONTIGUOUS and (offset := dataset.get_offset()) is not None:
        if offset + math.prod(dataset.shape) * kind.get_size() > file_size:
            return f"{name} would go on beyond the end of the file"
        return None
    chunk = creation.get_chunk() if layout == h5py.h5d.CHUNKED else ()
    at_once = dataset.shape[1:] if name.startswith("layers/") else dataset.shape
    if max(math.prod(at_once), math.prod(chunk)) * kind.get_size() > max(LARGEST_PIECE, EXPANSION * file_size):
        return f"{name} would be far larger in memory than it is in the file"
    return None
