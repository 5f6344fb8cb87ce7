"""A layer with a trap and a heavy tail, and runs through time, all from seeds."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.analysis.timeline import Timeline
from grokscope.figures import (
    PANELS,
    Figure,
    classes,
    dxmin,
    esd,
    heatmap,
    over_time,
    randomised,
    spectrogram,
)
from grokscope.spectra import LayerSpectrum, analyze_layer

STEPS = np.array([0, 100, 300, 1000, 3000, 10000, 30000])


def measured(seed: int, large: float) -> LayerSpectrum:
    """A Gaussian 80 × 40 matrix with a learned direction and one large entry, measured."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(80, 40)) + 0.4 * np.outer(rng.normal(size=80), rng.normal(size=40))
    weight[3, 5] = large
    return analyze_layer(weight, "fc1", step=seed, null_draws=200, permutations=5)


@pytest.fixture(scope="session")
def spectrum() -> LayerSpectrum:
    """One layer at one checkpoint, with a trap made by an entry."""
    found = measured(1, 30.0)
    assert found.traps
    return found


@pytest.fixture(scope="session")
def spectra() -> list[LayerSpectrum | None]:
    """The layer at each of STEPS; one of them is not measured."""
    found: list[LayerSpectrum | None] = [measured(k, 5.0 * k) for k in range(len(STEPS))]
    found[2] = None
    return found


def history(seed: int) -> Timeline:
    """A run of two layers that memorises, generalises and collapses; one checkpoint is not analysed."""
    rng = np.random.default_rng(seed)
    size = len(STEPS)
    measures = {
        (field, layer): np.exp(rng.normal(size=size))
        for field in ("alpha", "num_traps", "ks_p", "sigma_mp", "norm", "abs_entropy", "stable_rank")
        for layer in ("fc1", "fc2")
    }
    for layer in ("fc1", "fc2"):
        measures["ks_p", layer] = rng.uniform(0.001, 1, size=size)
        measures["alpha_low", layer], measures["alpha_high", layer] = (
            measures["alpha", layer] * factor for factor in (0.8, 1.3)
        )
    for values in measures.values():
        values[2] = np.nan
    names = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "activation_sparsity_1e-6",
             "circuit_complexity", "circuit_complexity_sd")  # fmt: skip
    metrics = {name: rng.uniform(0.1, 1, size=size) for name in names}
    predictions = rng.dirichlet(np.ones(10), size=size)
    doublings = np.linspace(1.3, 9.0 + seed, size)
    phases = ["pre-grokking"] * 3 + ["grokking"] * 3 + ["anti-grokking"]
    return Timeline(f"seed{seed}.h5", STEPS, int(STEPS[-1]), ("fc1", "fc2"), metrics, measures, predictions,
                    observed=phases, inferred=phases, doublings=doublings, by_strain=True)  # fmt: skip


@pytest.fixture(scope="session")
def runs() -> list[Timeline]:
    """Three seeds of one experiment."""
    return [history(seed) for seed in range(3)]


@pytest.fixture(scope="session")
def every_figure(
    spectrum: LayerSpectrum, spectra: list[LayerSpectrum | None], runs: list[Timeline]
) -> dict[str, Figure]:
    """A figure of each kind, by name."""
    one = runs[:1]
    figures = {name: over_time(panel(runs[0]), one) for name, panel in PANELS.items()}
    return figures | {
        "alpha of one layer": over_time(PANELS["alpha"](runs[0], ("fc1",)), one),
        "alpha of three seeds": over_time(PANELS["alpha"](runs[0]), runs),
        "esd": esd(spectrum),
        "esd, linear": esd(spectrum, scales=("linear", "linear")),
        "esd of two": esd(spectrum, other=spectra[0]),
        "randomised": randomised(spectrum),
        "dxmin": dxmin(spectrum),
        "heatmap": heatmap(runs[0]),
        "classes": classes(runs[0]),
        "spectrogram": spectrogram(runs[0], "fc1", spectra),
        "nothing": esd(LayerSpectrum("fc1", (3, 3), "too few eigenvalues")),
    }
