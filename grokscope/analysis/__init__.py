"""Spectra over a whole run: what is to be measured, who measures it, and the file that keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grokscope.lazy import lazy_names

if TYPE_CHECKING:
    from grokscope.analysis.engine import analyze
    from grokscope.analysis.evidence import observe_run
    from grokscope.analysis.spectra_file import Spectra
    from grokscope.analysis.spectra_layout import Parameters

__all__ = ["Parameters", "Spectra", "analyze", "observe_run"]

_HOMES = {
    "Parameters": "grokscope.analysis.spectra_layout",
    "Spectra": "grokscope.analysis.spectra_file",
    "analyze": "grokscope.analysis.engine",
    "observe_run": "grokscope.analysis.evidence",
}


__getattr__ = lazy_names(__name__, _HOMES)
