"""The layers of one checkpoint over depth: alpha with its interval, coloured by its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from grokscope.figures.axis import Axis, axis_over
from grokscope.figures.data import Curve, Fact, Figure, HLine, Mark, Points
from grokscope.spectra.power_law import BOUNDS

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

ROLES = {
    "over-trained": "anti-grokking",
    "well-trained": "grokking",
    "under-trained": "pre-grokking",
    "undecided": "undecided",
    "like noise": "unknown",
}
BEYOND = 1.5
"""How far beyond the least and greatest alpha the axis goes at most for the sake of intervals; longer ones leave
the frame."""


def profile(spectra: Sequence[LayerSpectrum | None], order: str = "depth", title: str = "layer profile") -> Figure:
    """Alpha of each layer, 1, 2, … in the order given, with its 95 % interval; 2 and 6 are lines.

    A layer without an alpha leaves its place empty. `order` is what the x axis says of the order.
    """
    alphas = np.array([np.nan if one is None else one.alpha for one in spectra], dtype=np.float64)
    x = Axis(f"layer, {order}", "linear", 0.5, len(spectra) + 0.5, form="count")
    if not np.isfinite(alphas).any():
        return Figure(title, x, Axis("α"), reason="no layer has an alpha: nothing is measured yet")
    ends = np.array([[np.nan] * 2 if one is None else (one.alpha_low, one.alpha_high) for one in spectra])
    reach = np.nanmin(alphas) / BEYOND, np.nanmax(alphas) * BEYOND
    seen = np.concatenate([alphas, np.clip(ends, *reach).ravel()])
    y = axis_over("α", seen, scale="log", include=BOUNDS)
    marks: list[Mark] = [HLine(at=bound, role="faint") for bound in BOUNDS]
    marks.append(_intervals(ends))
    verdicts = ["" if one is None else one.verdict for one in spectra]
    marks += [_of_verdict(verdict, alphas, verdicts) for verdict in ROLES if verdict in verdicts]
    facts = tuple(Fact(f"{verdicts.count(verdict)} {verdict}", ROLES[verdict]) for verdict in ROLES)
    return Figure(title, x, y, tuple(marks), tuple(fact for fact in facts if not fact.text.startswith("0 ")))


def _intervals(ends: np.ndarray) -> Curve:
    """A vertical stroke for each interval: low and high at one x, and a break."""
    places = np.repeat(np.arange(1, len(ends) + 1, dtype=np.float64), 3)
    strokes = np.concatenate([ends, np.full((len(ends), 1), np.nan)], axis=1)
    return Curve(x=places, y=strokes.ravel(), label="95 %", role="faint")


def _of_verdict(verdict: str, alphas: np.ndarray, verdicts: Sequence[str]) -> Points:
    of_it = np.array([one == verdict for one in verdicts])
    places = np.arange(1, len(alphas) + 1, dtype=np.float64)[of_it]
    return Points(x=places, y=alphas[of_it], label=verdict, role=ROLES[verdict])
