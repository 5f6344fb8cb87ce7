"""Phases from weights: each sign alone, both together, and what is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grokscope.phases import LayerEvidence, infer


def layer(
    signal: float = 0,
    entries: float = 0,
    dominance: float = 2,
    alpha_high: float = 4,
    tail: float = 60,
    growth: float = 1.2,
    size: int = 200,
) -> LayerEvidence:
    """A layer whose norm has grown by a factor, with the given signs at its second and last checkpoint."""
    pair = [np.array([0.0, value]) for value in (signal, entries, dominance, alpha_high, tail)]
    return LayerEvidence("fc1", size, *pair, np.array([10.0, 10.0 * growth]))


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        (layer(), "pre-grokking"),
        (layer(signal=3), "grokking"),
        (layer(signal=9, entries=4, alpha_high=1.9), "anti-grokking"),
        (layer(signal=9, entries=4), "undecided"),
        (layer(signal=9, alpha_high=1.9), "undecided"),
        (layer(signal=9, alpha_high=1.9, growth=0.5), "grokking"),
        (layer(signal=9, alpha_high=1.9, tail=6), "grokking"),
        (layer(signal=9, dominance=15), "undecided"),
        (layer(signal=9, dominance=15, growth=0.5), "grokking"),
        (layer(signal=9, dominance=15, entries=1), "anti-grokking"),
        (layer(signal=9, dominance=15, alpha_high=1.9), "anti-grokking"),
        (layer(entries=2), "undecided"),
        (layer(signal=np.nan), "unknown"),
        (layer(signal=np.nan, size=10), "unknown"),
        (layer(signal=9, size=10), "undecided"),
    ],
)
def test_label(evidence: LayerEvidence, label: str) -> None:
    inferred = infer([evidence])
    assert inferred.label == label
    assert inferred.reasons
    assert all(reason and "\n" not in reason for reason in inferred.reasons)


def test_a_sign_that_hangs_on_norms_not_measured_yet_is_unknown() -> None:
    dominated = layer(signal=9, dominance=15)
    unmeasured = replace(dominated, norm=np.array([np.nan, 12.0]))
    assert infer([dominated]).reasons[0] == "one sign of collapse, not two"
    assert "before earlier checkpoints are measured" in infer([unmeasured]).reasons[0]
    assert infer([unmeasured]).label == "unknown"
    assert infer([replace(layer(signal=9), norm=np.array([np.nan, 12.0]))]).label == "grokking"


def test_what_comes_later_is_not_looked_at() -> None:
    collapsed = layer(signal=9, entries=4, alpha_high=1.9)
    assert infer([collapsed.until(0)]).label == "pre-grokking"
    assert infer([collapsed.until(1)]).label == "anti-grokking"


def test_what_is_not_measured_is_no_verdict() -> None:
    assert infer([]).label == "unknown"
    small, large = layer(signal=9, size=10), layer(signal=np.nan)
    assert infer([small, large]).label == "unknown"
    assert infer([small, replace(large, num_eigenvalues=10)]).label == "undecided"
