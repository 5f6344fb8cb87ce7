"""PyTorch: MKL's products and fused optimizer kernels on a CPU, cuBLAS on a GPU.

The `mixed` engine leaves the matrix products to NumPy's BLAS, on the same memory: on AMD processors MKL runs its
slower AVX2 kernels where OpenBLAS has AVX-512 ones.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from grokscope_train.engines.base import Action
from grokscope_train.optimizer import Hyperparameters


class TorchEngine:
    """Tensors of PyTorch; with `numpy_products`, multiplied by NumPy's BLAS."""

    xp: ModuleType = torch

    def __init__(self, dtype: str, device: str, threads: int, numpy_products: bool = False) -> None:
        """Set the number of threads of the whole process, from now on."""
        self.name = "mixed" if numpy_products else "torch"
        self.device = device
        self.threads = threads
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._numpy_products = numpy_products
        # two pools of threads that wait by spinning would take the cores from one another
        torch.set_num_threads(1 if numpy_products else threads)
        self._limits = threadpool_limits(threads, user_api="blas") if numpy_products else None

    def array(self, values: NDArray[np.generic]) -> torch.Tensor:
        """Copy values into a new tensor, which PyTorch aligns to 64 bytes."""
        dtype = torch.int64 if values.dtype.kind in "iu" else self.dtype
        tensor = torch.empty(values.shape, dtype=dtype, device=self.device)
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        return tensor

    def to_numpy(self, array: torch.Tensor) -> NDArray[Any]:
        """Return the values on the host, sharing memory on a CPU."""
        values: NDArray[Any] = array.detach().cpu().numpy()
        return values

    def product(self, a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> Action:
        """Bind a @ b into `out`."""
        if self._numpy_products:
            return partial(np.matmul, a.numpy(), b.numpy(), out=out.numpy())
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

    def synchronize(self) -> None:
        """Wait for the GPU."""
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)


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
        self._apply = partial(
            torch._fused_adamw_ if name == "adamw" else torch._fused_adam_,
            [parameters], [gradient], [first], [second], [], [self._count],
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


def _sgd(parameters: torch.Tensor, gradient: torch.Tensor, hyper: Hyperparameters) -> None:
    if hyper.weight_decay:
        gradient.add_(parameters, alpha=hyper.weight_decay)
    parameters.add_(gradient, alpha=-hyper.lr)
