"""What decides the last bits of a training besides its configuration: versions, processor, GPU."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from grokscope.version import __version__

PACKAGES = {"torch": ("torch",), "compiled": ("numba", "llvmlite", "scipy")}  # an engine's own, besides NumPy
DECISIVE = ("numpy", "torch", "numba", "llvmlite", "scipy", "machine", "processor", "gpu")


def environment_of(engine: str, device: str) -> dict[str, str]:
    """Describe this machine and its packages, as far as they decide what `engine` computes on `device`."""
    environment = {
        "grokscope": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "processor": _processor(),
    }
    if device.startswith("cuda"):
        environment["gpu"] = _gpu(device)
    return environment | {name: version(name) for name in PACKAGES.get(engine, ())}


def moved(config: Mapping[str, Any]) -> str:
    """Say in what this machine differs from the one that a recorded configuration names; "" where in nothing."""
    recorded = config.get("environment", {})
    here = environment_of(str(config.get("engine", "")), str(config.get("device", "cpu")))
    changed = [name for name in DECISIVE if name in recorded and recorded[name] != here.get(name)]
    return ", ".join(f"{name} {here.get(name)} where it was {recorded[name]}" for name in changed)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _gpu(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device)
