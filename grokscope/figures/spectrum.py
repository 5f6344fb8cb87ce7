"""One layer at one checkpoint: its own spectrum, that of its shuffled entries, and how xmin was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.figures.axis import Axis, Scale, axis_over
from grokscope.figures.data import Band, Bars, Curve, Fact, Figure, Mark, Points, VLine
from grokscope.figures.histogram import (
    DENSITY,
    density,
    density_axis,
    edges_through,
    num_bins,
    outline,
    over_edges,
    part,
    positive,
)
from grokscope.numbers import counted, fixed, number, probability, with_interval
from grokscope.spectra import marchenko_pastur, power_law

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum

Array = NDArray[np.float64]
Scales = tuple[Scale, Scale]

EIGENVALUE = "λ, eigenvalue of WᵀW"
SHUFFLED = "λ, of the shuffled entries"

DEEPEST = 10.0**-4.5
"""Of the largest eigenvalue: a logarithmic axis goes no deeper, if xmin does not, and a fact says how many lie
below."""

BELOW_XMIN = 0.5
"""Of xmin: as deep as that an axis goes at least, so that the least D(xmin) is seen to rise again to its left."""

BELOW_EDGE = 1e-2
"""Of λ₊: as deep as that a logarithmic axis of shuffled entries goes."""

CAUSE_LETTERS = {"mean": "m", "entries": "e", "mean+entries": "b", "unexplained": "?"}


def esd(
    spectrum: LayerSpectrum,
    *,
    scales: Scales = ("log", "log"),
    other: LayerSpectrum | None = None,
    most_bins: int = 60,
) -> Figure:
    """The layer's eigenvalues as a density, the power law fitted to its tail, xmin (where a bin begins) and xmax.

    `other` is a spectrum to compare with, as an outline. The density's unit is 1/λ: there p(λ) ∝ λ^−α is straight.
    """
    title = f"ESD {spectrum.name}"
    values = spectrum.counted
    if len(values) < 2:
        return _nothing(title, EIGENVALUE, spectrum.reason or "fewer than two eigenvalues above zero")
    others = np.empty(0) if other is None else other.counted
    seen = [values[~(values < _depth(spectrum, values))] if scales[0] == "log" else values]
    if other is not None and len(others):
        seen.append(others[~(others < _depth(other, others))] if scales[0] == "log" else others)
    x = axis_over(EIGENVALUE, np.concatenate(seen), scale=scales[0], padding=0.03,
                  include=(spectrum.xmin * BELOW_XMIN,))  # fmt: skip
    edges = edges_through(spectrum.xmin, x, num_bins(len(values), most_bins))
    x = over_edges(x, edges)
    heights = density(spectrum.esd, edges)
    compared = density(others if other is None else other.esd, edges)
    y = density_axis([heights, compared], scales[1])
    in_tail = edges[:-1] >= spectrum.xmin * (1 - 1e-9)
    bars = Bars(edges, heights)
    marks: list[Mark] = [
        part(bars, ~in_tail, "eigenvalues", "bars"),
        part(bars, in_tail, f"tail of {spectrum.num_tail}", "tail"),
    ]
    if other is not None:
        marks.append(outline(edges, compared))
    marks += _tail(spectrum, x)
    below = int(np.count_nonzero(spectrum.esd < x.low))
    return Figure(title, x, y, tuple(marks), _esd_facts(spectrum, below), below=below)


def _depth(spectrum: LayerSpectrum, values: Array) -> float:
    """The least eigenvalue that a logarithmic axis shows of a spectrum."""
    return float(np.fmin(values.max(initial=0.0) * DEEPEST, spectrum.xmin * BELOW_XMIN))


def _tail(spectrum: LayerSpectrum, x: Axis) -> list[Mark]:
    """The fitted power law from xmin to xmax, and both as lines."""
    if not spectrum.xmax > spectrum.xmin > 0:
        return []
    points = np.array([x.value(p) for p in np.linspace(0, 1, 200)])
    inside = points[(points > spectrum.xmin) & (points < spectrum.xmax)]
    points = np.concatenate([[spectrum.xmin], inside, [spectrum.xmax]])
    share = spectrum.num_tail / len(spectrum.esd)
    law = share * power_law.tail_density(points, spectrum.alpha, spectrum.xmin)
    return [
        Curve(points, law, label=f"λ^−α, α = {fixed(spectrum.alpha, 2)}", role="fit"),
        VLine(spectrum.xmin, label="xmin", role="fit"),
        VLine(spectrum.xmax, label="xmax", role="faint"),
    ]


def _esd_facts(spectrum: LayerSpectrum, below: int) -> tuple[Fact, ...]:
    few = spectrum.num_tail < power_law.DECIDABLE_TAIL
    facts = (
        Fact(f"α {with_interval(spectrum.alpha, spectrum.alpha_low, spectrum.alpha_high)}", "tail"),
        Fact(f"tail {spectrum.num_tail}" + (" (few)" if few else ""), "warning" if few else "faint"),
        Fact(f"xmin {number(spectrum.xmin)}"),
        Fact(f"D {fixed(spectrum.power_law_distance, 3)}"),
        Fact(f"noise p {probability(spectrum.alpha_p, spectrum.alpha_draws)}"),
        Fact(spectrum.verdict, "text"),
    )
    return (*facts, Fact(f"{counted(below, 'eigenvalue')} below the axis")) if below else facts


def dxmin(spectrum: LayerSpectrum) -> Figure:
    """The KS distance D of every candidate xmin, the least of which chose it, and what is near the least."""
    title = f"D(xmin) {spectrum.name}"
    xmins, distances, _ = power_law.distance_curve(spectrum.counted)
    if not np.isfinite(distances).any():
        return _nothing(title, "xmin", spectrum.reason or "no power-law fit")
    least = float(np.nanmin(distances))
    x = axis_over("xmin, candidate for where the tail begins", xmins, scale="log", padding=0.03)
    y = axis_over("D, KS distance of the tail's fit", distances, include=(0.0,), padding=0.03)
    near = Band(x=np.array([x.low, x.high]), low=np.full(2, least), high=np.full(2, power_law.NEAR_BEST * least),
                label=f"within {power_law.NEAR_BEST:g} × the least: α's interval", role="faint")  # fmt: skip
    marks: tuple[Mark, ...] = (
        near,
        Curve(xmins, distances, label="D(xmin)", role="fit"),
        VLine(spectrum.xmin, label="xmin", role="tail"),
        Points(np.array([spectrum.xmin]), np.array([spectrum.power_law_distance]), label="chosen", role="tail"),
    )
    return Figure(title, x, y, marks, _esd_facts(spectrum, 0))


def randomised(
    spectrum: LayerSpectrum,
    *,
    scales: Scales = ("log", "linear"),
    other: LayerSpectrum | None = None,
    most_bins: int = 60,
) -> Figure:
    """The shuffled entries' eigenvalues with the fitted Marchenko-Pastur density, its edges and the traps.

    The law is scaled to the eigenvalues that it describes: all but the traps. A bin begins at λ₊. `other` is a
    spectrum to compare with, as an outline.
    """
    title = f"randomised {spectrum.name}"
    values = positive(spectrum.randomized_esd)
    if len(values) < 2 or not spectrum.sigma_robust > 0:
        return _nothing(title, SHUFFLED, spectrum.reason or "no Marchenko-Pastur fit")
    others = np.empty(0) if other is None else positive(other.randomized_esd)
    seen = [
        eigenvalues[eigenvalues >= (one.lambda_plus * BELOW_EDGE if scales[0] == "log" else 0.0)]
        for one, eigenvalues in ((spectrum, values), (other, others))
        if one is not None
    ]
    x = axis_over(SHUFFLED, np.concatenate(seen), scale=scales[0], padding=0.03,
                  include=(spectrum.lambda_plus * 1.05,))  # fmt: skip
    edges = edges_through(spectrum.lambda_plus, x, num_bins(len(values), most_bins))
    x = over_edges(x, edges)
    heights = density(spectrum.randomized_esd, edges)
    compared = density(others if other is None else other.randomized_esd, edges)
    law = _marchenko_pastur(spectrum, x)
    y = density_axis([heights, compared, law.y], scales[1])
    of_traps = edges[1:] > _least_trap(spectrum)
    bars = Bars(edges, heights)
    marks: list[Mark] = [
        part(bars, ~of_traps, "shuffled entries", "bars"),
        part(bars, of_traps, "traps", "trap"),
    ]
    if other is not None:
        marks.append(outline(edges, compared))
    marks += [
        law,
        VLine(spectrum.lambda_minus, label="λ₋", role="edge"),
        VLine(spectrum.lambda_plus, label="λ₊", role="edge"),
        *_trap_points(spectrum, bars, y),
    ]
    below = int(np.count_nonzero(spectrum.randomized_esd < x.low))
    return Figure(title, x, y, tuple(marks), _randomised_facts(spectrum, below), below=below)


def _marchenko_pastur(spectrum: LayerSpectrum, x: Axis) -> Curve:
    """The law over the axis, times the share of eigenvalues that are no traps."""
    lower, upper = max(spectrum.lambda_minus, x.low), min(spectrum.lambda_plus, x.high)
    positions = np.linspace(float(x.position(lower)), float(x.position(upper)), 401)
    points = np.array([x.value(float(p)) for p in positions])
    rows, columns = spectrum.shape[0], int(np.prod(spectrum.shape[1:]))
    law = marchenko_pastur.density(points, max(rows, columns), min(rows, columns), spectrum.sigma_robust)
    share = np.mean(spectrum.randomized_esd < _least_trap(spectrum))
    return Curve(points, np.where(law > 0, share * law, np.nan), label="Marchenko–Pastur", role="fit")


def _least_trap(spectrum: LayerSpectrum) -> float:
    return float(spectrum.trap_eigenvalues.min(initial=np.inf))


def _trap_points(spectrum: LayerSpectrum, bars: Bars, y: Axis) -> list[Points]:
    """A point at each trap, as high as the bar in which it stands, named by its cause's letter."""
    if not spectrum.traps:
        return []
    at = np.array([trap.eigenvalue for trap in spectrum.traps])
    bins = np.clip(np.searchsorted(bars.edges, at, side="right") - 1, 0, len(bars.heights) - 1)
    heights = np.where(np.isfinite(bars.heights[bins]), bars.heights[bins], y.low)
    letters = tuple(CAUSE_LETTERS[trap.cause] for trap in spectrum.traps)
    return [Points(at, heights, letters, label="trap by m mean, e entries, b both, ? unexplained", role="trap")]


def _randomised_facts(spectrum: LayerSpectrum, below: int) -> tuple[Fact, ...]:
    count = len(spectrum.trap_eigenvalues)
    facts = (
        Fact(f"σ_mp {fixed(spectrum.sigma_mp, 3)}"),
        Fact(f"p {probability(spectrum.ks_p, spectrum.null_draws)}"),
        Fact(counted(count, "trap") if count else "no traps", "trap" if count else "faint"),
        Fact(f"KS {fixed(spectrum.ks_distance, 4)}"),
        Fact(f"naive p {probability(spectrum.ks_p_naive, 0)}"),
        Fact(f"λ₊ {number(spectrum.lambda_plus)}", "edge"),
    )
    return (*facts, Fact(f"{counted(below, 'eigenvalue')} below the axis")) if below else facts


def _nothing(title: str, x_label: str, reason: str) -> Figure:
    return Figure(title, Axis(x_label), Axis(DENSITY), reason=reason)
