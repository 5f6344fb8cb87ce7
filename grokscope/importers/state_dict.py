"""One checkpoint file, read without running any code of its own: name → array."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError

SUFFIXES = (".safetensors", ".pt", ".pth")
NESTED_KEYS = ("model", "state_dict", "model_state_dict", "net", "network")

StateDict = dict[str, NDArray[Any]]


def read_state_dict(path: Path) -> StateDict:
    """Read the arrays of a `.safetensors`, `.pt` or `.pth` file.

    PyTorch files are loaded with `weights_only=True`, never otherwise. Raises UsageError where the file holds
    no state dict, MissingPackage where torch or safetensors is needed and not installed.
    """
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


def _need(package: str, path: Path) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingPackage(
            f"reading {path.name} needs {package}; install it by `pip install 'grokscope[train]'`"
        )


def _read_safetensors(path: Path) -> StateDict:
    _need("safetensors", path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is no safetensors file that can be read: {error}") from None


def _read_torch(path: Path) -> StateDict:
    _need("torch", path)
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UsageError(
            f"{path} holds more than weights, and loading it could run code; save `model.state_dict()` alone"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise UsageError(f"{path} is no PyTorch file that can be read: {error}") from None
    arrays = {
        name: _to_numpy(value) for name, value in _state_dict_in(loaded, path).items() if torch.is_tensor(value)
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


def _to_numpy(tensor: Any) -> NDArray[Any]:
    array = tensor.detach()
    wide = array.float() if str(array.dtype) in ("torch.bfloat16", "torch.float16") else array
    return np.asarray(wide.numpy())
