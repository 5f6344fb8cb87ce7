"""A PyTorch module in memory, as the same kind of checkpoint as a file of its state dict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from grokscope.importers.stored import StoredTensor, StoredTensors

if TYPE_CHECKING:
    import torch


def module_tensors(model: torch.nn.Module) -> StoredTensors:
    """Return the tensors of `model.state_dict()`, each read from the module as it is when it is read.

    A parameter that is replaced later is found by its name. Of PEFT's adapters the scale is known as well.
    """
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    tensors = {
        name: StoredTensor(
            tuple(tensor.shape),
            str(tensor.dtype).removeprefix("torch."),
            _reader(model, name),
            _identity(tensor),
            parameter=name in trained,
        )
        for name, tensor in model.state_dict().items()
        if hasattr(tensor, "untyped_storage")
    }
    return StoredTensors(Path(type(model).__name__), tensors, _scales(model))


def _reader(model: torch.nn.Module, name: str) -> Any:
    return lambda: array_of(_now(model, name))


def _now(model: torch.nn.Module, name: str) -> torch.Tensor:
    path, _, leaf = name.rpartition(".")
    module = model.get_submodule(path)
    tensor: torch.Tensor = getattr(module, leaf)
    return tensor


def array_of(tensor: torch.Tensor) -> NDArray[Any]:
    """Return a tensor as NumPy's array, without a copy on the CPU; bfloat16 and 8-bit floats as their codes."""
    import torch

    values = tensor.detach().cpu()
    if values.dtype == torch.bfloat16:
        values = values.view(torch.uint16)
    elif values.element_size() == 1 and values.is_floating_point():
        values = values.view(torch.uint8)
    array: NDArray[Any] = values.numpy()
    return array


def _identity(tensor: torch.Tensor) -> object:
    address = tensor.untyped_storage().data_ptr()
    return (address, tensor.storage_offset(), tuple(tensor.shape), tensor.stride()) if address else None


def _scales(model: torch.nn.Module) -> dict[str, object]:
    """The scale of each of PEFT's adapters, alpha/r, by the name that its layer has without PEFT's prefix."""
    scales: dict[str, object] = {}
    for name, module in model.named_modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and hasattr(module, "lora_A"):
            layer = name.removeprefix("base_model.model.").removeprefix("model.")
            scales |= {f"lora_scale.{layer}": value for value in scaling.values()}
    return scales
