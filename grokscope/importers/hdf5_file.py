"""Keras's weights in HDF5: `.weights.h5`, the `.h5` of Keras 2, and the `.keras` archive around one.

Only regular datasets behind hard links are looked at: no link leads to another file, and no storage lies in one.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.layer_names import depth_order
from grokscope.importers.stored import CHANNELS_LAST, Bytes, StoredTensor, StoredTensors
from grokscope.importers.torch_tree import plain
from grokscope.importers.zip_archive import LARGE, MOST_EXPANDED, SIGNATURE, WITHIN_KERAS, Archive
from grokscope.runfile.opening import locked

DEEPEST = 24


def read_hdf5(path: Path) -> StoredTensors:
    """Open weights that Keras saved; other HDF5 files with arrays under names of their own are read as well.

    Raises UsageError where the file is damaged or holds no array, RunLocked where another program has locked it.
    """
    with contextlib.ExitStack() as stack:
        try:
            tensors, extra = _contents(path, stack.enter_context(_open(path)))
        except BlockingIOError:
            raise locked(path) from None
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise UsageError(f"{path} is damaged, or no HDF5 file ({error}); copy or save it again") from None
        if not tensors:
            raise UsageError(f"{path} holds no arrays; save the weights of the model")
        in_order = {name: tensors[name] for name in depth_order(tensors)}
        return StoredTensors(path, in_order, extra, files=(path,), opened=stack.pop_all())


def _contents(path: Path, file: h5py.File) -> tuple[dict[str, StoredTensor], dict[str, object]]:
    """Return the tensors of a file by their names, and the step that its optimizer has counted."""
    datasets = dict(_datasets(file))
    names = _names(file, list(datasets))
    tensors = {called: _tensor(path, datasets[name], called) for name, called in names.items()}
    counters = [name for name in datasets if ITERATIONS.search(name)]
    return tensors, {"step": plain(_tensor(path, datasets[counters[0]], "step"))} if counters else {}


ITERATIONS = re.compile(r"(^|/)optimizer(_weights)?/(vars/0|[^/]+/iterations?(:0)?)$")


def _open(path: Path) -> h5py.File:
    file = Bytes(path)
    if bytes(file[:4]) != SIGNATURE:
        return h5py.File(path, "r", locking=False)
    archive = Archive(file)
    if WITHIN_KERAS not in archive.entries:
        raise UsageError(f"{path} lacks {WITHIN_KERAS}; save the model again")
    return h5py.File(_File(archive.content(WITHIN_KERAS)), "r")


def _datasets(group: h5py.Group, path: str = "", depth: int = 0) -> Iterator[tuple[str, h5py.Dataset]]:
    if depth > DEEPEST:
        return
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item, where = group[name], f"{path}/{name}" if path else name
        if isinstance(item, h5py.Group):
            yield from _datasets(item, where, depth + 1)
        elif isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual:
            yield where, item


def _names(file: h5py.File, paths: list[str]) -> dict[str, str]:
    """Name each array after its layer: `layers/dense/vars/0` is dense/kernel."""
    paths = [path for path in paths if not re.match(r"optimizer|(top_level_)?optimizer_weights", path)]
    if any(re.search(r"(^|/)vars/\d+$", path) for path in paths):
        return {path: _keras3_name(file, path) for path in paths}
    names = {path: _keras2_name(path) for path in paths}
    return names if len(set(names.values())) == len(names) else {path: path for path in paths}


def _keras3_name(file: h5py.File, path: str) -> str:
    layer, _, index = path.rpartition("/vars/")
    parent, _, automatic = layer.rpartition("/")
    given = file[f"{layer}/vars"].attrs.get("name", "")
    is_own = (
        parent == "layers" and isinstance(given, str) and not re.fullmatch(rf"{_kind(automatic)}(_\d+)?", given)
    )
    name = given if is_own and given else automatic
    parent = re.sub(r"^(_?layers|_operations)(/|$)", "", parent)
    return "/".join(part for part in (parent, name, _variable(automatic, int(index), file[path].ndim)) if part)


def _kind(automatic: str) -> str:
    return re.escape(re.sub(r"_\d+$", "", automatic))


def _variable(layer: str, index: int, axes: int) -> str:
    if "embedding" in layer:
        return "embeddings"
    if axes < 2 and index == 0:
        return "scale"
    return {0: "kernel", 1: "recurrent_kernel" if axes >= 2 and "dense" not in layer else "bias"}.get(
        index, "bias" if index == 2 else f"variable_{index}"
    )


def _keras2_name(path: str) -> str:
    parts = [part.removesuffix(":0") for part in path.split("/")]
    return f"{parts[1]}/{parts[-1]}" if parts[0] == "model_weights" and len(parts) > 2 else "/".join(parts)


def _tensor(path: Path, dataset: h5py.Dataset, name: str) -> StoredTensor:
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > LARGE and dataset.nbytes > MOST_EXPANDED * max(stored, 1):
        raise UsageError(
            f"{path} would unpack to {dataset.nbytes / 1e9:.1f} GB from {stored / 1e6:.1f} MB, as no weights do; "
            "it is not opened"
        )
    is_keras = name.rpartition("/")[2] in ("kernel", "recurrent_kernel", "depthwise_kernel", "embeddings", "bias")
    layout = CHANNELS_LAST if is_keras else ""
    return StoredTensor(dataset.shape, dataset.dtype.name, partial(_values, path, dataset), layout=layout)


def _values(path: Path, dataset: h5py.Dataset) -> NDArray[Any]:
    try:
        return np.asarray(dataset[()])
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} is damaged ({error}); copy or save it again") from None


class _File(io.RawIOBase):
    """Bytes in memory as a file for h5py, without a copy of them."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, len(self._data))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        taken = self._data[self._at : self._at + len(buffer)]
        buffer[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)
