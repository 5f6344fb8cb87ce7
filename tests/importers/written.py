"""A network as PyTorch writes it, and a comparison with what is read, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from grokscope.importers.stored import StoredTensors
from grokscope.importers.tensors import widened

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


def network() -> torch.nn.Module:
    """Layers of every float dtype, a convolution and buffers."""
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), *(nn.Linear(9, 7).to(dtype) for dtype in DTYPES))


def values(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A tensor as PyTorch itself widens it."""
    return tensor.detach().double().numpy() if tensor.is_floating_point() else tensor.numpy()


def assert_same(tensors: StoredTensors, state: Mapping[str, torch.Tensor], prefix: str = "") -> None:
    """Hold every tensor against PyTorch's, bit for bit."""
    for name, tensor in state.items():
        found = widened(tensors.read(prefix + name), tensors.dtype(prefix + name))
        assert tensors.dtype(prefix + name) == str(tensor.dtype).removeprefix("torch.")
        assert tensors.shape(prefix + name) == found.shape == tuple(tensor.shape)
        assert np.array_equal(found, values(tensor)), name


def adam(model: torch.nn.Module) -> dict[str, Any]:
    """The state of an optimizer that has made a step."""
    parameters = [parameter for parameter in model.parameters() if parameter.element_size() > 1]
    optimizer = torch.optim.Adam(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer.state_dict()
