"""From a configuration to an engine; PyTorch is imported only where it is used."""

from __future__ import annotations

import os
import sys

from grokscope.errors import MissingPackage, UsageError
from grokscope_train.engines.base import Engine


def make_engine(name: str, dtype: str, device: str, threads: int) -> Engine:
    """Return the engine `compiled` or `torch` with its thread count set for this process.

    Raises MissingPackage without what it needs, UsageError where the device is not there.
    """
    if name == "compiled":
        try:
            from grokscope_train.compiled import CompiledEngine
        except ImportError as error:
            raise MissingPackage(
                f"--engine compiled needs Numba ({error})", "train", "; or use --engine torch"
            ) from None

        return CompiledEngine(dtype, threads)
    try:
        import torch
    except ImportError:
        raise MissingPackage(f"--engine {name} needs PyTorch", "train", "; or use --engine compiled") from None
    gpus = torch.cuda.device_count()
    if device != "cpu" and (torch.device(device).index or 0) >= gpus:
        raise UsageError(f"--device {device}: usable CUDA devices here: {gpus}; use another, or --device cpu")
    from grokscope_train.engines.torch_engine import TorchEngine

    return TorchEngine(dtype, device, threads)


def spin_briefly() -> None:
    """Let OpenMP's threads wait by spinning for some microseconds only; read when PyTorch is first imported.

    Its default is to spin for milliseconds, which on two cores with another busy process takes 7 steps a second
    where this takes 164; on idle cores both take 700 (784-200-200-10, float64, two threads).
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "4000")
