"""The layers of one checkpoint over depth, and which of them look worst."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from grokscope.numbers import json_value
from grokscope.spectra import LayerSpectrum
from grokscope.spectra.power_law import BOUNDS

if TYPE_CHECKING:
    from grokscope.analysis.spectra_file import Spectra

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
    return FIRST_TO_LAST.index(kind), -traps, -float(np.nan_to_num(abs(spectrum.alpha - sum(BOUNDS) / 2)))


FIRST_COLUMNS = (
    "alpha", "alpha_low", "alpha_high", "alpha_p", "num_tail", "sigma_mp", "ks_p", "num_traps", "norm",
)  # fmt: skip


ZERO_IS_UNKNOWN = ("num_tail", "null_draws", "permutations")


def known(spectrum: LayerSpectrum, names: Iterable[str]) -> dict[str, Any]:
    """Fields of a spectrum as plain values, None for what is not known: counts of what was not measured, too."""
    unknown = {name for name in ZERO_IS_UNKNOWN if not getattr(spectrum, name)}
    unknown |= set() if len(spectrum.esd) else {"num_zero"}
    return {name: None if name in unknown else json_value(getattr(spectrum, name)) for name in names}


def profile_rows(spectra: Spectra) -> Iterator[dict[str, Any]]:
    """Yield a row for each layer at each checkpoint, by depth: plain values, None for what is not known.

    `worst` is its rank among those that look worst there, from 1. What is measured of gates is None where that
    means nothing.
    """
    from grokscope.analysis.evidence import why_no_gates
    from grokscope.analysis.gates import MEASURES
    from grokscope.analysis.rows import DERIVED, SCALARS

    names = [*FIRST_COLUMNS, *(name for name in SCALARS if name not in FIRST_COLUMNS)]
    blind = dict.fromkeys(MEASURES, np.full(len(spectra.done), np.nan))
    no_gates = why_no_gates(spectra.run.config, spectra.run.layers)
    others = [
        {name: spectra.column(name, layer.name) for name in DERIVED}
        | (blind if no_gates else spectra.gates(layer.name))
        for layer in spectra.run.layers
    ]
    for index, step in enumerate(spectra.run.steps[: len(spectra.done)].tolist()):
        measured = [spectra.layer(index, layer.name) for layer in spectra.run.layers]
        ranks = {depth: rank for rank, depth in enumerate(worst_first(measured), start=1)}
        for depth, (layer, spectrum) in enumerate(zip(spectra.run.layers, measured, strict=True)):
            shown = spectrum or LayerSpectrum(layer.name, layer.shape, "not measured yet")
            yield {
                "step": step, "depth": depth, "worst": ranks[depth], "layer": layer.name,
                "shape": "x".join(map(str, layer.shape)), "kind": layer.kind, "note": layer.note,
                "verdict": shown.verdict, "reason": shown.reason or shown.verdict_reason,
                **known(shown, names),
                **{name: json_value(float(values[index])) for name, values in others[depth].items()},
            }  # fmt: skip
