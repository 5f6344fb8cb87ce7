"""What the savers of libraries share: a small network, and what they say they saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

Arrays = Mapping[str, NDArray[Any]]


Saved = tuple[Path, dict[int, Arrays]]
"""What is opened, and the arrays of each step by the layer's name."""


SIZES = (6, 5, 3)


def network(seed: int) -> nn.Sequential:
    """A small network, another for each seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(*SIZES[:2]), nn.ReLU(), nn.Linear(*SIZES[1:]))


def matrices(state: Mapping[str, Any], prefix: str = "") -> Arrays:
    """The weights of two axes in a state dict, by their layers' names."""
    named = {name.removeprefix(prefix).removesuffix(".weight"): value for name, value in state.items()}
    return {name: value.detach().numpy() for name, value in named.items() if value.ndim == 2}
