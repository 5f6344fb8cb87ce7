"""Signs of the layers in words: structure, and three by which the papers or former rules went."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grokscope.phases.evidence import LayerEvidence
from grokscope.spectra.power_law import OVER_TRAINED

MIN_TAIL = 20
FEW, FIRST = 6, 2  # more layers than that are counted, and so many named
DOMINANT = 10.0  # largest eigenvalue of W over the edge of its shuffled entries


def named(sign: str, layers: Sequence[LayerEvidence], look: Callable[[LayerEvidence], str]) -> list[str]:
    """Look for a sign in every layer; one sentence that names the layers which have it, or none."""
    found = [f"{layer.name} {detail}" for layer in layers if layer.known and (detail := look(layer))]
    return [f"{sign}: {listed(found, len(layers))}"] if found else []


def listed(found: Sequence[str], count: int) -> str:
    """Layers in words: each where they are few, else how many of all and the first of them."""
    if len(found) <= FEW:
        return ", ".join(found)
    return f"{len(found)} of {count} layers, the first {', '.join(found[:FIRST])}"


def structure(layers: Sequence[LayerEvidence]) -> list[str]:
    """Name the layers with eigenvalues beyond the edge of noise in one sentence; none where there are none."""
    sign = "eigenvalues beyond the edge of noise (learned, or of a shifted mean or large entries)"
    return named(sign, layers, _structure)


def passed_over(layers: Sequence[LayerEvidence], size: int) -> list[str]:
    """Name those among the layers of fewer than `size` eigenvalues that have some beyond the edge as well."""
    small = [layer for layer in layers if layer.num_eigenvalues < size]
    return named("seen as well: eigenvalues beyond the edge of noise in smaller layers", small, _structure)


def old_signs(layers: Sequence[LayerEvidence]) -> list[str]:
    """Name the layers with each old sign, a sentence for each sign that any has."""
    return [
        *named("seen as well: traps made by large entries", layers, _heavy_entries),
        *named("seen as well: over-trained", layers, _over_training),
        *named("seen as well: one direction dominates", layers, _dominance),
    ]


def _structure(layer: LayerEvidence) -> str:
    count = layer.num_signal[-1]
    return f"{count:.0f}" if count > 0 else ""


def _heavy_entries(layer: LayerEvidence) -> str:
    count = layer.num_entry_traps[-1]
    return f"{count:.0f}" if count > 0 else ""


def _over_training(layer: LayerEvidence) -> str:
    if not (layer.alpha_high[-1] < OVER_TRAINED and layer.num_tail[-1] >= MIN_TAIL):
        return ""
    return f"alpha below {layer.alpha_high[-1]:.2f} on {layer.num_tail[-1]:.0f} eigenvalues"


def _dominance(layer: LayerEvidence) -> str:
    return f"{layer.dominance[-1]:.1f} times the edge" if layer.dominance[-1] >= DOMINANT else ""
