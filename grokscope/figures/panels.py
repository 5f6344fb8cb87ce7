"""The panels by name: what is drawn under "accuracy", "alpha", "traps" and the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from grokscope.figures.history import History
from grokscope.figures.over_time import (
    ACCURACY_LIMITS,
    Column,
    Line,
    Panel,
    by_layer,
    combined,
    metric,
    total_norm,
)
from grokscope.spectra.power_law import BOUNDS

Layers = Sequence[str]


def accuracy(run: History, layers: Layers = ()) -> Panel:
    """Train and test accuracy."""
    lines = (Line("test", "test", metric("test_accuracy")), Line("train", "train", metric("train_accuracy")))
    return Panel("accuracy", "accuracy", lines, limits=ACCURACY_LIMITS, unit="% of images", form="percent")


def loss(run: History, layers: Layers = ()) -> Panel:
    """Train and test loss."""
    lines = (Line("test", "test", metric("test_loss")), Line("train", "train", metric("train_loss")))
    return Panel("loss", "loss", lines, scale="log")


def alpha(run: History, layers: Layers = ()) -> Panel:
    """The power-law exponent of each layer; of one layer with its interval."""
    lines = by_layer(run, "alpha", interval=("alpha_low", "alpha_high"), layers=layers)
    bounds = tuple((bound, f"α = {bound:.0f}") for bound in BOUNDS)
    return Panel("α", "α, power-law exponent of the ESD's tail", lines, "log", bounds)


def traps(run: History, layers: Layers = ()) -> Panel:
    """Correlation traps of each layer: the median over permutations; of one layer with least and most."""
    lines = by_layer(run, "num_traps", interval=("num_traps_min", "num_traps_max"), between="least to most",
                     layers=layers)  # fmt: skip
    return Panel("traps", "correlation traps, median over permutations", lines, form="count")


def ks(run: History, layers: Layers = ()) -> Panel:
    """The calibrated KS p-value of each layer's shuffled entries; of several runs, Fisher's combination."""
    lines = by_layer(run, "ks_p", layers=layers, joined=False, combine=combined)
    return Panel("KS p", "calibrated KS p of the shuffled entries", lines, "log", ((0.05, "p = .05"),), form="p")


def sigma_mp(run: History, layers: Layers = ()) -> Panel:
    """The robust Marchenko-Pastur σ of each layer over its entries' standard deviation."""
    label = "σ_mp, bulk over entries' standard deviation"
    return Panel("σ_mp", label, by_layer(run, "sigma_mp", layers=layers), references=((1.0, "random: 1"),))


def norm(run: History, layers: Layers = ()) -> Panel:
    """The l² norm of all weights together."""
    return Panel("‖W‖", "‖W‖ over all layers", (Line("l²", "test", total_norm),))


def entropy(run: History, layers: Layers = ()) -> Panel:
    """The absolute weight entropy of each layer."""
    return Panel("entropy", "−Σ|w| log|w|", by_layer(run, "abs_entropy", layers=layers), unit="nats")


def sparsity(run: History, layers: Layers = ()) -> Panel:
    """The share of hidden activations below each recorded threshold."""
    lines = tuple(
        Line("<" + name.rsplit("_", 1)[1], f"layer{k}", metric(name)) for k, name in enumerate(SPARSITIES)
    )
    return Panel("sparsity", "activations below τ", lines, limits=ACCURACY_LIMITS, unit="%", form="percent")


SPARSITIES = ("activation_sparsity_1e-6", "activation_sparsity_1e-2", "activation_sparsity_1e-1")


def circuit(run: History, layers: Layers = ()) -> Panel:
    """The approximate local circuit complexity, with its spread over masks."""
    line = Line("KL", "test", metric("circuit_complexity"), _spread(-1.0), _spread(1.0), "± sd over masks")
    return Panel("circuit complexity", "Σ KL, a tenth of the weights masked", (line,), unit="nats")


def _spread(sign: float) -> Column:
    return lambda run: run.metric("circuit_complexity") + sign * run.metric("circuit_complexity_sd")


def stable_rank(run: History, layers: Layers = ()) -> Panel:
    """‖W‖² over the largest eigenvalue, of each layer."""
    return Panel("stable rank", "stable rank, Σλ/λ₁", by_layer(run, "stable_rank", layers=layers), scale="log")


def strain(run: History, layers: Layers = ()) -> Panel:
    """How steep the network is over the share of its gates that is open; dashed: where that tells a collapse."""
    line = Line("network", "test", lambda run: run.strain)
    told = ((run.strained, f"{run.strained:.0f}"),) if math.isfinite(run.strained) else ()
    return Panel("strain", "strain, steepness over the share of open gates", (line,), "log", told)


def of_measure(field: str, run: History, layers: Layers = ()) -> Panel:
    """The panel of any measure of the layers, by its name."""
    return Panel(field, field, by_layer(run, field, layers=layers))


def of_metric(name: str) -> Panel:
    """The panel of any recorded metric, by its name."""
    return Panel(name, name, (Line("", "test", metric(name)),))


PANELS: dict[str, Callable[[History, Layers], Panel]] = {
    "accuracy": accuracy,
    "loss": loss,
    "alpha": alpha,
    "traps": traps,
    "ks": ks,
    "sigma_mp": sigma_mp,
    "norm": norm,
    "entropy": entropy,
    "sparsity": sparsity,
    "circuit": circuit,
    "stable_rank": stable_rank,
    "strain": strain,
}
"""Panels by the name under which `grokscope plot` draws them."""

MEASURES = ("norm", "entropy", "sparsity", "circuit")
"""The paper's other measures, equations 7 to 10, together."""
