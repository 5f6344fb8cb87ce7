"""The paper's tables against a run of its experiment: what holds at the right edge of each phase."""

from __future__ import annotations

from pathlib import Path

from grokscope.errors import UsageError
from grokscope.experiments import is_the_papers
from grokscope.phases import PHASES
from grokscope.published import (
    KS,
    KS_EIGENVALUES,
    KS_NOTE,
    PAPER,
    PAPER_STEPS,
    SIGMA_MP_BEFORE_THE_COLLAPSE,
    TRAPS,
)
from grokscope.report.pictures import Source
from grokscope.report.tables import right_edges
from grokscope.spectra.kolmogorov import naive_p
from grokscope.verify.comparison import Comparison

LAYER = "fc1"
D_TOLERANCE = {"pre-grokking": 0.004, "grokking": 0.008}
"""Before: as far as D of Gaussian matrices of that shape spreads (5 to 99 %: .0102 to .0163). At the edge of
grokking D rises with the step, so it depends on where exactly the edge lies."""
SIGMA_TOLERANCE = 0.02
UNLIKE = "the printed p-value is not that of the printed D"


def tables(run: Path) -> list[Comparison]:
    """Compare a run without weight decay with Tables 2 and 4, its first layer with Table 4's.

    Raises UsageError for a run of another experiment.
    """
    source = Source.open(run)
    if not is_the_papers(source.experiment):
        raise UsageError(f"{run} is not the paper's experiment without weight decay; --run takes one that is")
    edges = right_edges(source)
    return [*_before(source, edges), *_collapsed(source, edges), _printed_p()]


def _before(source: Source, edges: dict[str, int]) -> list[Comparison]:
    """D and σ_mp of the first two phases."""
    found = []
    low, high = SIGMA_MP_BEFORE_THE_COLLAPSE
    for phase in ("pre-grokking", "grokking"):
        if phase not in edges:
            continue
        at = f"{LAYER}, right edge of {phase} ({source.run.steps[edges[phase]]:,})"
        distance, sigma = (_measure(source, edges[phase], name) for name in ("ks_distance", "sigma_mp"))
        found.append(
            Comparison(f"KS D of {at}", distance, KS[phase].distance, D_TOLERANCE[phase], f"{PAPER}, Table 4")
        )
        note = f"{low} and {high} are printed; which phase each is of is not known here"
        found.append(
            Comparison(f"σ_mp of {at}", sigma, (low + high) / 2, SIGMA_TOLERANCE, f"{PAPER}, Table 4", note)
        )
    return found


def _collapsed(source: Source, edges: dict[str, int]) -> list[Comparison]:
    """Table 2's traps and Table 4's row of the collapse: only of a run that is as long as the paper's."""
    phase = PHASES[-1]
    if phase not in edges:
        return []
    step = int(source.run.steps[edges[phase]])
    as_long = step >= PAPER_STEPS
    note = "" if as_long else f"this run ends at step {step:,}, the paper's at {PAPER_STEPS:,}"
    at = f"right edge of {phase} ({step:,})"
    row, found = KS[phase], []
    pairs = (
        ("KS D", "ks_distance", row.distance, 0.1, "Table 4"),
        ("σ_mp", "sigma_mp", float(row.sigma_mp), SIGMA_TOLERANCE, "Table 4"),
    )
    for name, field, theirs, tolerance, table in pairs:
        ours = _measure(source, edges[phase], field)
        allowed = tolerance if as_long else None
        found.append(Comparison(f"{name} of {LAYER}, {at}", ours, theirs, allowed, f"{PAPER}, {table}", note))
    for (_, layer), printed in TRAPS.items():
        mean, deviation = map(float, printed.text.split(" ± "))
        ours = _measure(source, edges[phase], "num_traps", layer)
        allowed = max(2 * deviation, 0.5) if as_long else None
        found.append(Comparison(f"traps of {layer}, {at}", ours, mean, allowed, f"{PAPER}, Table 2", note))
    return found


def _printed_p() -> Comparison:
    row = KS[PHASES[-1]]
    ours = naive_p(row.distance, KS_EIGENVALUES)
    what = f"naive p of D = {row.distance} at {KS_EIGENVALUES} eigenvalues"
    return Comparison(what, ours, float(row.p), None, f"{PAPER}, Table 4", f"{UNLIKE}: {KS_NOTE}")


def _measure(source: Source, index: int, field: str, layer: str = LAYER) -> float:
    """A measure of a layer at a checkpoint, measured now where that was not done before."""
    return float(getattr(source.spectrum(index, layer), field))
