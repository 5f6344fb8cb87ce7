"""A model's tensors as a reader of checkpoint files yields them: recorder and import find the same layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.importers.stored import StoredTensor, StoredTensors
from grokscope.importers.tensors import CODES

if TYPE_CHECKING:
    import torch

WRAPPERS = ("DataParallel", "DistributedDataParallel")


def stored_tensors(name: str, state: Mapping[str, Any], parameters: set[str] | None) -> StoredTensors:
    """Return the tensors of a state dict, each read when asked for; `parameters` names trained ones, if known.

    `name` stands for the model in messages. Tensors without values (lazy, or on the meta device) are left out.
    """
    found = {
        key.replace("/", "."): StoredTensor(
            shape=tuple(tensor.shape),
            dtype=_dtype(tensor),
            read=partial(_array, tensor),
            identity=(tensor.data_ptr(), tuple(tensor.shape), tensor.stride()),
            parameter=None if parameters is None else key in parameters,
        )
        for key, tensor in state.items()
        if hasattr(tensor, "detach") and not has_no_values(tensor)
    }
    return StoredTensors(path=Path(name), tensors=found)


def copied(state: Mapping[str, Any], places: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Copy the tensors of a state dict, into those of `places` where they fit; tied ones stay tied."""
    copies: dict[str, Any] = {}
    of_storage: dict[object, Any] = {}
    for name, tensor in state.items():
        if not hasattr(tensor, "detach") or has_no_values(tensor):
            continue
        key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if tensor.numel() else name
        if key not in of_storage:
            of_storage[key] = _copy(tensor.detach(), (places or {}).get(name))
        copies[name] = of_storage[key]
    return copies


def _copy(tensor: Any, place: Any) -> Any:
    if place is None or (place.shape, place.dtype, place.device) != (tensor.shape, tensor.dtype, tensor.device):
        return tensor.clone()
    return place.copy_(tensor)


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _array(tensor: Any) -> NDArray[Any]:
    """Return a tensor's values on the CPU, those that NumPy does not know as their codes."""
    import torch

    tensor, dtype = tensor.detach().cpu(), _dtype(tensor)
    if dtype in CODES:
        integers = torch.int16 if tensor.element_size() == 2 else torch.uint8
        return np.asarray(tensor.contiguous().view(integers).numpy()).view(CODES[dtype])
    return np.asarray(tensor.numpy())


def has_no_values(tensor: Any) -> bool:
    """Tell whether a tensor has a name only: of a lazy module, or on the meta device."""
    return type(tensor).__name__.startswith("Uninitialized") or bool(tensor.is_meta)


def unwrapped(model: Any) -> Any:
    """Return the module inside torch.compile's and the parallel wrappers'."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in WRAPPERS:
            inner = model.module
        if inner is None:
            return model
        model = inner


def is_sharded(model: torch.nn.Module) -> bool:
    """Tell whether other processes hold parts of the parameters: FSDP, tensor parallelism, DeepSpeed's stage 3."""
    return any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()) or any(
        type(parameter).__name__ == "DTensor" or hasattr(parameter, "ds_id") for parameter in model.parameters()
    )
