"""The phase as the weights alone tell it, up to a checkpoint and without hindsight, with reasons in words.

No rule for this is published. Ours first asks for structure: eigenvalues of a layer's W beyond the
Marchenko-Pastur edge of its own shuffled entries. A network that memorised from a large random initialisation has
none; they come with generalisation. Then it counts three signs of collapse, of which one alone is not enough:

- heavy entries: correlation traps that single large entries make. Mean drift makes traps
  too, with collapse and without.
- over-training: a power-law exponent whose whole interval is below 2, fitted to a tail of enough eigenvalues.
- dominance: one direction far beyond the edge.

The last two count only while the layer's norm grows: weight decay brings both about without a collapse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

MIN_EIGENVALUES = 50  # a layer with fewer says little: its edge is blurred and its tail is short
MIN_TAIL = 20
DOMINANT = 10.0  # largest eigenvalue of W over the edge of its shuffled entries
GROWTH = 1.02  # of the norm, from the smallest that it had been


@dataclass(frozen=True)
class LayerEvidence:
    """One layer's measures over the checkpoints up to now, float64 [n] each, NaN where unknown.

    num_eigenvalues: M. num_signal: eigenvalues of W beyond the edge of its shuffled entries. num_entry_traps:
    traps with large entries as their cause. dominance: largest eigenvalue of W over that edge. alpha_high: upper
    end of alpha's interval. num_tail: eigenvalues in the fit. norm: Frobenius norm.
    """

    name: str
    num_eigenvalues: int
    num_signal: NDArray[np.float64]
    num_entry_traps: NDArray[np.float64]
    dominance: NDArray[np.float64]
    alpha_high: NDArray[np.float64]
    num_tail: NDArray[np.float64]
    norm: NDArray[np.float64]

    def until(self, index: int) -> LayerEvidence:
        """Return the evidence that there was at checkpoint `index`, without what came later."""
        curves = {
            field.name: getattr(self, field.name)[: index + 1]
            for field in fields(self)
            if field.name not in ("name", "num_eigenvalues")
        }
        return replace(self, **curves)


@dataclass(frozen=True)
class Inferred:
    """A label, "undecided" and "unknown" included, and the reasons for it, one short sentence each."""

    label: str
    reasons: tuple[str, ...]


def infer(layers: Sequence[LayerEvidence]) -> Inferred:
    """Infer the phase at the last checkpoint of the given histories; what decided comes first in the reasons.

    "undecided" where the signs contradict or no layer has 50 or more eigenvalues; "unknown" where nothing is
    measured, or not what the answer hangs on.
    """
    if not any(map(_known, layers)):
        return Inferred("unknown", ("no layer is measured",))
    large = [layer for layer in layers if layer.num_eigenvalues >= MIN_EIGENVALUES]
    measured = [layer for layer in large if _known(layer)]
    if large and not measured:
        return Inferred("unknown", (f"no layer with {MIN_EIGENVALUES} or more eigenvalues is measured",))
    if not large:
        return Inferred("undecided", (f"no layer has {MIN_EIGENVALUES} or more eigenvalues",))
    structure = _named("eigenvalues beyond the edge of shuffled entries", measured, _structure)
    signs = [
        *_named("traps made by large entries", measured, _heavy_entries),
        *_named("over-trained while the norm grows", measured, _over_training),
        *_named("one direction dominates while the norm grows", measured, _dominance),
    ]
    if not structure:
        quiet = "no eigenvalue beyond the edge of shuffled entries"
        return Inferred("undecided" if signs else "pre-grokking", (quiet, *signs))
    if len(signs) >= 2:
        return Inferred("anti-grokking", (*signs, *structure))
    if waiting := [layer.name for layer in measured if _waits_for_norms(layer)]:
        unknown = f"not known whether the norm grows before earlier checkpoints are measured: {', '.join(waiting)}"
        return Inferred("unknown", (unknown, *signs, *structure))
    if signs:
        return Inferred("undecided", ("one sign of collapse, not two", *signs, *structure))
    return Inferred("grokking", tuple(structure))


def _named(sign: str, layers: Sequence[LayerEvidence], look: Callable[[LayerEvidence], str]) -> list[str]:
    """Look for a sign in every layer; one sentence that names the layers which have it, or none."""
    found = [f"{layer.name} {detail}" for layer in layers if (detail := look(layer))]
    return [f"{sign}: {', '.join(found)}"] if found else []


def _known(layer: LayerEvidence) -> bool:
    return len(layer.num_signal) > 0 and bool(np.isfinite(layer.num_signal[-1]))


def _structure(layer: LayerEvidence) -> str:
    count = layer.num_signal[-1]
    return f"{count:.0f}" if count > 0 else ""


def _heavy_entries(layer: LayerEvidence) -> str:
    count = layer.num_entry_traps[-1]
    return f"{count:.0f}" if count > 0 else ""


def _over_training(layer: LayerEvidence) -> str:
    if not (_is_over_trained(layer) and _grows(layer.norm)):
        return ""
    return f"alpha below {layer.alpha_high[-1]:.2f} on {layer.num_tail[-1]:.0f} eigenvalues"


def _dominance(layer: LayerEvidence) -> str:
    if not (_is_dominated(layer) and _grows(layer.norm)):
        return ""
    return f"{layer.dominance[-1]:.1f} times the edge"


def _is_over_trained(layer: LayerEvidence) -> bool:
    return bool(layer.alpha_high[-1] < 2 and layer.num_tail[-1] >= MIN_TAIL)


def _is_dominated(layer: LayerEvidence) -> bool:
    return bool(layer.dominance[-1] >= DOMINANT)


def _grows(norm: NDArray[np.float64]) -> bool:
    """Tell whether the last norm is well above the smallest known one: a smaller unknown one changes nothing."""
    return bool(norm[-1] >= GROWTH * np.nanmin(norm))


def _waits_for_norms(layer: LayerEvidence) -> bool:
    """Tell whether a sign hangs on norms of checkpoints that are not measured yet."""
    hanging = _is_over_trained(layer) or _is_dominated(layer)
    return hanging and not _grows(layer.norm) and bool(np.isnan(layer.norm).any())
