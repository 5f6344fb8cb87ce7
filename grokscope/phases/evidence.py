"""What the weights say up to a checkpoint: measures of every layer through time, as the rules read them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def said_by(option: str, entry: str) -> str:
    """Tell how a run comes to say a thing of its training, which nothing can add to a run file that there is."""
    return f"`grokscope import {option}` says it of checkpoints, `Recorder(config={{{entry}}})` of a run to come"


@dataclass(frozen=True)
class LayerEvidence:
    """One layer's measures over the checkpoints up to now, float64 [n] each, NaN where unknown.

    num_eigenvalues: M. num_signal: eigenvalues of W beyond the edge of its shuffled entries. num_traps:
    correlation traps; num_entry_traps: those with large entries as their cause. dominance: largest eigenvalue of W
    over that edge. alpha, alpha_high: the power law's exponent and the upper end of its interval. num_tail:
    eigenvalues in the fit. norm: Frobenius norm. stable_rank: its square over the largest eigenvalue. live_rows,
    lit, bias_over_norm, scale: see Gates.
    capacity: of the whole network, in the last layer's evidence alone.
    """

    name: str
    num_eigenvalues: int
    num_signal: Array
    num_traps: Array
    num_entry_traps: Array
    dominance: Array
    alpha: Array
    alpha_high: Array
    num_tail: Array
    norm: Array
    stable_rank: Array
    live_rows: Array
    lit: Array
    bias_over_norm: Array
    scale: Array
    capacity: Array

    def until(self, index: int) -> LayerEvidence:
        """Return the evidence that there was at checkpoint `index`, without what came later."""
        return replace(self, **{name: getattr(self, name)[: index + 1] for name in COLUMNS})

    @property
    def known(self) -> bool:
        """Whether the layer's spectrum is measured at the last checkpoint."""
        return len(self.num_signal) > 0 and bool(np.isfinite(self.num_signal[-1]))


COLUMNS = tuple(field.name for field in fields(LayerEvidence) if field.name not in ("name", "num_eigenvalues"))


@dataclass(frozen=True)
class Evidence:
    """A network's evidence: its layers in order, the first one nearest to the inputs.

    no_gates: why nothing can be said of its gates, "" where they are defined. no_bound: why its outputs may grow
    for ever, "" where the loss holds them to their targets. left_out: how many of its weights are not among the
    layers. random_labels: whether its training images are known to have shuffled labels.
    """

    layers: tuple[LayerEvidence, ...]
    no_gates: str = ""
    no_bound: str = ""
    left_out: int = 0
    random_labels: bool = False

    def until(self, index: int) -> Evidence:
        """Return the evidence that there was at checkpoint `index`, without what came later."""
        return replace(self, layers=tuple(layer.until(index) for layer in self.layers))

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there are up to now."""
        return len(self.layers[0].num_signal) if self.layers else 0
