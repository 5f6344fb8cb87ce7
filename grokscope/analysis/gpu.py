"""The dense algebra of large layers on a GPU, where torch finds one. Double precision throughout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra.esd import LAPACK, Backend, Matrix

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

LARGE_SIDE = 1024
"""Layers whose shorter side is below this are faster on the processor than on their way to a GPU."""


class TorchBackend:
    """Gram matrices and their eigenvalues by torch, on one device."""

    def __init__(self, device: str = "cuda") -> None:
        self.device = device

    def gram(self, matrix: Matrix) -> torch.Tensor:
        """See `grokscope.spectra.esd.Backend`."""
        import torch

        there = torch.from_numpy(np.ascontiguousarray(matrix)).to(self.device).double()
        return there @ there.T if matrix.shape[0] <= matrix.shape[1] else there.T @ there

    def gram_eigenvalues(self, gram_matrix: torch.Tensor) -> Array:
        """See `grokscope.spectra.esd.Backend`."""
        import torch

        try:
            eigenvalues = torch.linalg.eigvalsh(gram_matrix)
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
            raise np.linalg.LinAlgError(str(error)) from error
        return np.asarray(eigenvalues.cpu().numpy(), dtype=np.float64)

    def count_above(self, gram_matrix: torch.Tensor, threshold: float) -> int:
        """See `grokscope.spectra.esd.Backend`; one Cholesky where there is nothing above, else the spectrum."""
        import torch

        shifted = -gram_matrix
        shifted.diagonal().add_(threshold)
        _, failed = torch.linalg.cholesky_ex(shifted)
        if not int(failed):
            return 0
        return int(np.count_nonzero(self.gram_eigenvalues(gram_matrix) > threshold))


DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""What the drivers of GPUs put there on Linux: NVIDIA's, that of WSL, AMD's."""


def has_driver() -> bool:
    """Whether there can be a GPU at all; to ask torch costs two seconds and half a gigabyte."""
    return not sys.platform.startswith("linux") or any(Path(path).exists() for path in DRIVERS)


def backend_for(shape: tuple[int, ...]) -> Backend:
    """A GPU, where there is one, for a weight [out, in, ...] worth sending; else this machine's LAPACK."""
    if len(shape) < 2 or min(shape[0], int(np.prod(shape[1:]))) < LARGE_SIDE or not has_driver():
        return LAPACK
    try:
        import torch
    except ImportError:
        return LAPACK
    return TorchBackend() if torch.cuda.is_available() else LAPACK
