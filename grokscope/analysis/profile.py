"""The layers of one checkpoint over depth, and which of them look worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grokscope.spectra import LayerSpectrum

FIRST_TO_LAST = (
    "over-trained",
    "traps",
    "under-trained",
    "like noise",
    "undecided",
    "well-trained",
    "not measured",
)
"""How bad a layer looks. A decided verdict counts by itself; of all others those with traps come first."""


def worst_first(spectra: Sequence[LayerSpectrum | None]) -> list[int]:
    """Sort the places of layers, given by depth and None where not measured, by how bad they look.

    Over-trained ones come first, then those whose shuffled entries have traps, under-trained ones, those that are
    like noise, undecided and well-trained ones, and last those that are not measured. Among equals more traps come
    first, then the alpha farthest from the middle of 2 to 6, then depth.
    """
    return sorted(range(len(spectra)), key=lambda place: (*_badness(spectra[place]), place))


def _badness(spectrum: LayerSpectrum | None) -> tuple[float, ...]:
    if spectrum is None or spectrum.reason:
        return len(FIRST_TO_LAST), 0.0, 0.0
    traps = float(np.nan_to_num(spectrum.num_traps))
    kind = "traps" if traps > 0 and spectrum.verdict not in ("over-trained", "under-trained") else spectrum.verdict
    return FIRST_TO_LAST.index(kind), -traps, -float(np.nan_to_num(abs(spectrum.alpha - 4.0)))
