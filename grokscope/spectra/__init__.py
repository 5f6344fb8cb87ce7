"""The spectral core: a matrix in, numbers out. Knows no file and no screen; public names are loaded when
first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grokscope.lazy import lazy_names

if TYPE_CHECKING:
    from grokscope.spectra.ablation import without_trap
    from grokscope.spectra.layer import ANALYSIS_VERSION, LayerSpectrum, analyze_layer
    from grokscope.spectra.traps import Trap

__all__ = [
    "ANALYSIS_VERSION",
    "LayerSpectrum",
    "Trap",
    "analyze_layer",
    "without_trap",
]

_HOMES = {
    "ANALYSIS_VERSION": "grokscope.spectra.layer",
    "LayerSpectrum": "grokscope.spectra.layer",
    "Trap": "grokscope.spectra.traps",
    "analyze_layer": "grokscope.spectra.layer",
    "without_trap": "grokscope.spectra.ablation",
}


__getattr__ = lazy_names(__name__, _HOMES)
