"""From a configuration to an engine; PyTorch is imported only where it is used."""

from __future__ import annotations

from grokscope.errors import MissingPackage, UsageError
from grokscope_train.engines.base import Engine


def make_engine(name: str, dtype: str, device: str, threads: int) -> Engine:
    """Return the engine `numpy`, `torch` or `mixed` with its thread count set for this process.

    Raises MissingPackage without PyTorch, UsageError where the device is not there.
    """
    if name == "numpy":
        from grokscope_train.engines.numpy_engine import NumpyEngine

        return NumpyEngine(dtype, threads)
    try:
        import torch
    except ImportError:
        raise MissingPackage(
            f"--engine {name} needs PyTorch; pip install 'grokscope[train]' or use --engine numpy"
        ) from None
    if device != "cpu" and not torch.cuda.is_available():
        raise UsageError(f"--device {device}: no CUDA device is usable here; use --device cpu")
    from grokscope_train.engines.torch_engine import TorchEngine

    return TorchEngine(dtype, device, threads, numpy_products=name == "mixed")
