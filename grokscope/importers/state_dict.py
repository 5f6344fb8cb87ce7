"""One checkpoint file, read without running any code of its own: name → array."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers.unreadable import why_no_safetensors, why_no_torch

SUFFIXES = (".safetensors", ".pt", ".pth")
NESTED_KEYS = ("model", "state_dict", "model_state_dict", "net", "network")

SAFETENSORS_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip

StateDict = dict[str, NDArray[Any]]


def read_state_dict(path: Path) -> StateDict:
    """Read the arrays of a `.safetensors`, `.pt` or `.pth` file; a `/` in a name becomes a dot.

    PyTorch files are loaded with `weights_only=True`, never otherwise. 8- and 16-bit floats become float32. Raises
    UsageError where the file holds no state dict, MissingPackage where torch or safetensors is needed and not
    installed.
    """
    arrays = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    return {name.replace("/", "."): array for name, array in arrays.items()}


def _need(package: str, path: Path) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingPackage(
            f"reading {path.name} needs {package}; install it by `pip install 'grokscope[train]'`"
        )


def _read_safetensors(path: Path) -> StateDict:
    _need("safetensors", path)
    from safetensors import SafetensorError, deserialize

    try:
        stored_arrays: list[tuple[str, dict[str, Any]]] = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
        return {name: _decoded(stored, name, path) for name, stored in stored_arrays}
    except OSError as error:
        raise UsageError(_refused(path, error)) from None
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{path} {why_no_safetensors(path, error)}") from None


def _refused(path: Path, error: OSError) -> str:
    return f"{path} cannot be read: {error.strerror or error}"


def _decoded(stored: Mapping[str, Any], name: str, path: Path) -> NDArray[Any]:
    """Turn bytes into an array; a bfloat16 is the upper half of a float32."""
    kind, shape = str(stored["dtype"]), stored["shape"]
    if kind == "BF16":
        halves = np.frombuffer(stored["data"], dtype="<u2").astype("<u4")
        return (halves << 16).view("<f4").reshape(shape)
    if kind not in SAFETENSORS_DTYPES:
        raise UsageError(f"{path}: {name} is stored as {kind}, which cannot be read; save it as float32")
    return np.frombuffer(stored["data"], dtype=SAFETENSORS_DTYPES[kind]).reshape(shape)


def _read_torch(path: Path) -> StateDict:
    _need("torch", path)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be read is told in a sentence of ours
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(_refused(path, error)) from None
    except Exception as error:  # torch and pickle raise a zoo of errors on files that are none of theirs
        raise UsageError(f"{path} {why_no_torch(path, error)}") from None
    arrays = {
        name: _to_numpy(value, name, path)
        for name, value in _state_dict_in(loaded, path).items()
        if isinstance(name, str) and torch.is_tensor(value)
    }
    if not arrays:
        raise UsageError(f"{path} holds no tensors; save `model.state_dict()`")
    return arrays


def _state_dict_in(loaded: object, path: Path) -> Mapping[str, Any]:
    if not isinstance(loaded, Mapping):
        raise UsageError(f"{path} holds a {type(loaded).__name__}, not a state dict; save `model.state_dict()`")
    for key in NESTED_KEYS:
        if isinstance(loaded.get(key), Mapping):
            return loaded[key]  # type: ignore[no-any-return]
    return loaded


def _to_numpy(tensor: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        dense = tensor.detach().to_dense()
        wide = dense.float() if dense.is_floating_point() and dense.element_size() < 4 else dense
        return np.asarray(wide.numpy())
    except (TypeError, RuntimeError) as error:
        raise UsageError(f"{path}: {name} cannot be read as an array: {error}") from None
