"""Spectra over a whole run: what is to be measured, who measures it, and the file that keeps it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grokscope.analysis.engine import analyze
    from grokscope.analysis.evidence import infer_phase, observe_run
    from grokscope.analysis.spectra_file import Parameters, Spectra

__all__ = ["Parameters", "Spectra", "analyze", "infer_phase", "observe_run"]

_HOMES = {
    "Parameters": "spectra_file",
    "Spectra": "spectra_file",
    "analyze": "engine",
    "infer_phase": "evidence",
    "observe_run": "evidence",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
