"""grokscope: a terminal microscope for training runs.

The public names are loaded when they are first used, so that importing grokscope costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from grokscope.version import __version__

if TYPE_CHECKING:
    from grokscope.analysis import Parameters, Spectra, analyze
    from grokscope.errors import GrokscopeError
    from grokscope.recorder import Recorder
    from grokscope.runfile import Run
    from grokscope.spectra import LayerSpectrum, Trap, analyze_layer

__all__ = [
    "GrokscopeError",
    "LayerSpectrum",
    "Parameters",
    "Recorder",
    "Run",
    "Spectra",
    "Trap",
    "__version__",
    "analyze",
    "analyze_layer",
]

_HOMES = {
    "GrokscopeError": "grokscope.errors",
    "LayerSpectrum": "grokscope.spectra",
    "Parameters": "grokscope.analysis",
    "Recorder": "grokscope.recorder",
    "Run": "grokscope.runfile",
    "Spectra": "grokscope.analysis",
    "Trap": "grokscope.spectra",
    "analyze": "grokscope.analysis",
    "analyze_layer": "grokscope.spectra",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
