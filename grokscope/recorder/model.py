"""A model's tensors as a reader of checkpoint files yields them: recorder and import find the same layers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.importers.composed_weights import ADAPTER, Scale
from grokscope.importers.layer_names import WRAPPERS as WRAPPERS_IN_NAMES
from grokscope.importers.stored import StoredTensor, StoredTensors
from grokscope.importers.tensors import CODES

if TYPE_CHECKING:
    import torch

WRAPPERS = ("DataParallel", "DistributedDataParallel")


def stored_tensors(model: torch.nn.Module, state: Mapping[str, Any]) -> StoredTensors:
    """Return the tensors of a model's state dict, each read when asked for, and the scales of its adapters.

    Tensors without values (lazy, or on the meta device) are left out. Which are trained is not known of a model
    that other processes hold parts of.
    """
    trained = None if is_sharded(model) else dict(model.named_parameters(remove_duplicate=False))
    found = {
        key.replace("/", "."): StoredTensor(
            shape=tuple(tensor.shape),
            dtype=_dtype(tensor),
            read=partial(_array, tensor),
            identity=(tensor.data_ptr(), tuple(tensor.shape), tensor.stride()),
            parameter=None if trained is None else key in trained,
        )
        for key, tensor in state.items()
        if hasattr(tensor, "detach") and not has_no_values(tensor)
    }
    return StoredTensors(Path(type(model).__name__), found, _scales(model))


def _scales(model: torch.nn.Module) -> dict[str, Scale]:
    """The scales of PEFT's adapters, 0 where one is not at work now; none where a layer is more than W + s·BA."""
    scales = {}
    for name, module in model.named_modules():
        if not hasattr(module, "lora_A") or not isinstance(getattr(module, "scaling", None), dict):
            continue
        silent = getattr(module, "disable_adapters", False) or getattr(module, "merged", False)
        for adapter, factor in module.scaling.items():
            if adapter not in getattr(module, "lora_variant", ()):  # DoRA and its like
                works = not silent and adapter in getattr(module, "active_adapters", [adapter])
                tensor = WRAPPERS_IN_NAMES.sub("", f"{name}.lora_A.{adapter}.weight").replace("/", ".")
                turned = bool(getattr(module, "fan_in_fan_out", False))
                scales[f"{ADAPTER}{tensor}"] = Scale(factor if works else 0.0, turned)
    return scales


def copied(state: Mapping[str, Any], places: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Copy the tensors of a state dict, into those of `places` where they fit; tied ones stay tied."""
    copies: dict[str, Any] = {}
    of_storage: dict[object, Any] = {}
    free = {id(place): place for place in (places or {}).values()}  # what was tied may be two tensors now
    for name, tensor in state.items():
        if not hasattr(tensor, "detach") or has_no_values(tensor):
            continue
        key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride()) if tensor.numel() else name
        if key not in of_storage:
            place = free.pop(id((places or {}).get(name)), None)
            of_storage[key] = _copy(tensor.detach(), place)
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
