"""PyTorch: MKL's products and fused optimizer kernels on a CPU, cuBLAS on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from grokscope_train.engines.base import Action, Item, Result
from grokscope_train.optimizer import Hyperparameters

LEAST_PIECE, PIECES, ALIGNED = 2048, 252, 4


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
        """Bind a @ b into `out`."""
        return partial(torch.mm if a.ndim == 2 else torch.bmm, a, b, out=out)  # type: ignore[return-value]

    def take(self, source: torch.Tensor, rows: torch.Tensor, out: torch.Tensor) -> None:
        """Copy rows."""
        torch.index_select(source, 0, rows, out=out)

    def optimizer(
        self,
        name: str,
        parameters: torch.Tensor,
        gradient: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
        hyper: Hyperparameters,
    ) -> TorchUpdate:
        """Bind PyTorch's fused kernel for flat tensors."""
        return TorchUpdate(name, parameters, gradient, first, second, hyper)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Apply a function to one item after another: the library has threads of its own."""
        return [function(item) for item in items]


class TorchUpdate:
    """The update of flat tensors: PyTorch's fused Adam kernels in one pass, SGD in two."""

    def __init__(
        self,
        name: str,
        parameters: torch.Tensor,
        gradient: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
        hyper: Hyperparameters,
    ) -> None:
        """Bind flat tensors of one length."""
        # the kernels' own type for the count of steps, and exact to 16.7 million; from some 40,000 steps on
        # both bias corrections are 1 to the last bit
        self._count = torch.zeros((), dtype=torch.float32, device=parameters.device)
        if name == "sgd":
            self._apply = partial(_sgd, parameters, gradient, hyper)
            return
        size = piece_size(parameters)
        pieces = [list(torch.split(flat, size)) for flat in (parameters, gradient, first, second)]
        self._apply = partial(
            torch._fused_adamw_ if name == "adamw" else torch._fused_adam_,
            *pieces, [], [self._count] * len(pieces[0]),
            lr=hyper.lr, beta1=hyper.beta1, beta2=hyper.beta2, weight_decay=hyper.weight_decay,
            eps=hyper.eps, amsgrad=False, maximize=False,
        )  # fmt: skip

    def __call__(self, step: int | None) -> None:
        """Update."""
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


def _sgd(parameters: torch.Tensor, gradient: torch.Tensor, hyper: Hyperparameters) -> None:
    if hyper.weight_decay:
        gradient.add_(parameters, alpha=hyper.weight_decay)
    parameters.add_(gradient, alpha=-hyper.lr)
