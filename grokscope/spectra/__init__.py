"""The spectral core: a matrix in, numbers out. Knows no file and no screen; public names are loaded when
first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grokscope.spectra.ablation import trap_part, trap_vectors, without_trap
    from grokscope.spectra.layer import ANALYSIS_VERSION, LayerSpectrum, analyze_layer
    from grokscope.spectra.traps import Trap

__all__ = [
    "ANALYSIS_VERSION",
    "LayerSpectrum",
    "Trap",
    "analyze_layer",
    "trap_part",
    "trap_vectors",
    "without_trap",
]

_HOMES = {
    "ANALYSIS_VERSION": "layer",
    "LayerSpectrum": "layer",
    "Trap": "traps",
    "analyze_layer": "layer",
    "trap_part": "ablation",
    "trap_vectors": "ablation",
    "without_trap": "ablation",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
