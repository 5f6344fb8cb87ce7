"""grokscope: a terminal microscope for training runs.

The public names are loaded when they are first used, so that importing grokscope costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grokscope.lazy import lazy_names
from grokscope.version import __version__

if TYPE_CHECKING:
    from grokscope.analysis import Parameters, Spectra, analyze
    from grokscope.errors import GrokscopeError
    from grokscope.notebook import Opened, open
    from grokscope.recorder import Recorder
    from grokscope.runfile import Run
    from grokscope.spectra import LayerSpectrum, Trap, analyze_layer
    from grokscope.trajectory import Trajectory, open_trajectory

__all__ = [
    "GrokscopeError",
    "LayerSpectrum",
    "Opened",
    "Parameters",
    "Recorder",
    "Run",
    "Spectra",
    "Trajectory",
    "Trap",
    "__version__",
    "analyze",
    "analyze_layer",
    "open",
    "open_trajectory",
]

_HOMES = {
    "GrokscopeError": "grokscope.errors",
    "LayerSpectrum": "grokscope.spectra",
    "Opened": "grokscope.notebook",
    "Parameters": "grokscope.analysis",
    "Recorder": "grokscope.recorder",
    "Run": "grokscope.runfile",
    "Spectra": "grokscope.analysis",
    "Trajectory": "grokscope.trajectory",
    "Trap": "grokscope.spectra",
    "analyze": "grokscope.analysis",
    "analyze_layer": "grokscope.spectra",
    "open": "grokscope.notebook",
    "open_trajectory": "grokscope.trajectory",
}


__getattr__ = lazy_names(__name__, _HOMES)
