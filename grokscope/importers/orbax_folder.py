"""Orbax's checkpoint folders (JAX), read by its own library."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers.layer_names import is_of_optimizer
from grokscope.importers.stored import CHANNELS_LAST, StoredTensor, StoredTensors
from grokscope.importers.torch_tree import plain


def read_orbax(folder: Path) -> StoredTensors:
    """Open a checkpoint of Orbax; the library restores all of it at once.

    Raises MissingPackage without `orbax-checkpoint`, UsageError where the folder is damaged.
    """
    try:
        import orbax.checkpoint as orbax
    except ImportError:
        raise MissingPackage(f"reading {folder.name} needs orbax-checkpoint", "orbax") from None
    inner = next((folder / name for name in ("default", "state", "params") if (folder / name).is_dir()), folder)
    try:
        tree = orbax.PyTreeCheckpointer().restore(inner.absolute())
    except Exception as error:  # tensorstore and jax raise a zoo of errors
        raise UsageError(f"{folder} cannot be restored by orbax: {str(error).splitlines()[0][:120]}") from None
    tensors: dict[str, StoredTensor] = {}
    extra: dict[str, object] = {}
    for path, value in _leaves(tree, ()):
        name = "/".join(path)
        if getattr(value, "shape", ()):
            if not is_of_optimizer(name):
                tensors[name] = _tensor(value)
        elif (number := plain(np.asarray(value)[()] if hasattr(value, "dtype") else value)) is not None:
            extra[".".join(path)] = number
    if not tensors:
        raise UsageError(f"{folder} holds no arrays; save the parameters of the model")
    return StoredTensors(folder, tensors, extra, files=tuple(path for path in folder.rglob("*") if path.is_file()))


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _leaves(value, (*path, str(name)))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _leaves(value, (*path, str(index)))
    else:
        yield path, node


def _tensor(array: Any) -> StoredTensor:
    name = np.dtype(array.dtype).name
    return StoredTensor(tuple(array.shape), name, partial(_read, array, name), layout=CHANNELS_LAST)


def _read(array: Any, name: str) -> NDArray[Any]:
    values = np.asarray(array)
    return values.view(f"<u{values.itemsize}") if name in ("bfloat16", "float8_e4m3fn", "float8_e5m2") else values
