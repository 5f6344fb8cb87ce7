"""PyTorch: MKL's products and fused optimizer kernels on a CPU, cuBLAS on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from grokscope_train.config import TrainConfig
from grokscope_train.engines.base import Item, Result

LEAST_PIECE, PIECES, ALIGNED = 2048, 252, 4
Action = Callable[[], None]  # a computation on buffers that it was bound to


class TorchEngine:
    """Tensors of PyTorch, on a CPU or a GPU."""

    name = "torch"
    xp: ModuleType = torch

    def __init__(self, dtype: str, device: str, threads: int) -> None:
        """Set the number of threads of the whole process, from now on."""
        self.device = device
        self.threads = threads
        self.dtype: torch.dtype = getattr(torch, dtype)
        torch.set_num_threads(threads)

    def array(self, values: NDArray[np.generic]) -> torch.Tensor:
        """Copy values into a new tensor, which PyTorch aligns to 64 bytes."""
        dtype = torch.int64 if values.dtype.kind in "iu" else self.dtype
        tensor = torch.empty(values.shape, dtype=dtype, device=self.device)
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        return tensor

    def images(self, pixels: NDArray[np.float64]) -> torch.Tensor:
        """Copy images into a new array."""
        return self.array(pixels)

    def to_numpy(self, array: torch.Tensor) -> NDArray[Any]:
        """Return the values on the host, sharing memory on a CPU."""
        values: NDArray[Any] = array.detach().cpu().numpy()
        return values

    def product(self, a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> Action:
        """Bind a @ b into `out`, for buffers that stay where they are; of stacks every seed's product."""
        return partial(torch.mm if a.ndim == 2 else torch.bmm, a, b, out=out)  # type: ignore[return-value]

    def take(self, source: torch.Tensor, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Copy the given rows of `source` into `out`."""
        torch.index_select(source, 0, rows, out=out)

    def update(self, config: TrainConfig, *flats: torch.Tensor) -> Update:
        """Bind the update of flat tensors: parameters, gradient, first and second moment."""
        return Update(config, *flats)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to one item after another: the library has threads of its own."""
        return [function(item) for item in items]


class Update:
    """The update of flat tensors: PyTorch's fused Adam kernels in one pass, SGD in two."""

    def __init__(
        self,
        config: TrainConfig,
        parameters: torch.Tensor,
        gradient: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
    ) -> None:
        """Bind flat tensors of one length."""
        # the kernels' own type for the count of steps, and exact to 16.7 million; from some 40,000 steps on
        # both bias corrections are 1 to the last bit
        self._count = torch.zeros((), dtype=torch.float32, device=parameters.device)
        if config.optimizer == "sgd":
            self._apply = partial(_sgd, parameters, gradient, config)
            return
        size = piece_size(parameters)
        pieces = [list(torch.split(flat, size)) for flat in (parameters, gradient, first, second)]
        self._apply = partial(
            torch._fused_adamw_ if config.optimizer == "adamw" else torch._fused_adam_,
            *pieces, [], [self._count] * len(pieces[0]),
            lr=config.lr, beta1=config.beta1, beta2=config.beta2, weight_decay=config.weight_decay,
            eps=config.eps, amsgrad=False, maximize=False,
        )  # fmt: skip

    def __call__(self, step: int | None) -> None:
        """Update at step `step`, counted from 1; None stands for one after the last, counted on the device."""
        if step is None:
            self._count.add_(1)
        else:
            self._count.fill_(step)
        self._apply()

    def set_count(self, step: int) -> None:
        """Set the count that None goes on from."""
        self._count.fill_(step)


def piece_size(flat: torch.Tensor) -> int:
    """Return the size of the pieces in which fused kernels are given a flat tensor; on a CPU it stays whole.

    On a GPU they put one block on 65,536 elements of a tensor, which would leave most of it idle, but take up to
    PIECES tensors in one launch. Pieces of a multiple of ALIGNED elements are read several elements at a time.
    """
    if not flat.is_cuda:
        return max(flat.numel(), 1)
    return max(LEAST_PIECE, -(-flat.numel() // (ALIGNED * PIECES)) * ALIGNED)


def _sgd(parameters: torch.Tensor, gradient: torch.Tensor, config: TrainConfig) -> None:
    if config.weight_decay:
        gradient.add_(parameters, alpha=config.weight_decay)
    parameters.add_(gradient, alpha=-config.lr)
