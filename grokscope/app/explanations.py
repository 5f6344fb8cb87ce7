"""What every column and pane is, in a line: by the name that it has on screen, with the paper's word for it."""

from __future__ import annotations

COLUMNS = {
    "α [95 %]": "exponent of the ESD's power-law tail, its interval; paper: best at 2",
    "noise p": "chance of so small an α from noise of that shape; small: no noise",
    "verdict": "α's interval below 2: over-, 2 to 6: well-, above: under-trained",
    "tail": "eigenvalues from xmin on, to which the law is fitted; few say little",
    "D": "KS distance of the tail to the fitted law; paper: D, quality of fit",
    "xmin": "where the tail begins: where D is least; paper: λ_min",
    "± σ": "standard error of α, (α − 1)/√tail; paper: σ",
    "σ_mp": "σ of the shuffled bulk over that of all entries; 1: noise",
    "λ₊": "edge of the shuffled entries' Marchenko–Pastur law; noise ends a little beyond",
    "KS": "distance of the shuffled spectrum to its Marchenko–Pastur law",
    "p": "p of KS, calibrated on Gaussian matrices; small: entries not Gaussian",
    "p naive": "p of KS as the paper has it; hardly ever small",
    "traps": "eigenvalues of shuffled W that noise would not reach: median (range)",
    "cause": "what makes the traps: m the mean, e large entries, b both",
    "shape": "rows × columns of W; a convolution is read as out × rest",
    "‖W‖": "Frobenius norm of W; paper: l² weight norm, over all layers",
    "max |w|": "largest entry of W, whatever its sign",
    "rank": "stable rank ‖W‖²/λ₁: about how many directions carry the norm",
    "entropy": "−Σ|w|log|w| over the entries; paper: absolute weight entropy",
    "mean": "mean of the entries; far from 0 it makes a trap by itself",
    "p bulk": "p of KS without the traps: whether the rest is like noise",
    "WW traps": "traps by WeightWatcher's rule (rand_num_spikes)",
}
"""The table's columns; the one asked for first comes first."""

PANES = {
    "ESD": "eigenvalues of WᵀW as a density; bright: the tail that α is fitted to",
    "randomised": "ESD of W with its entries shuffled, and its Marchenko–Pastur law",
    "observed": "phases by accuracy: rise of the test's, peak, and fall for good",
    "weights": "phases by the weights alone, up to here; w has the reasons and the rule",
    "heatmap": "one measure of every layer at every checkpoint; n is the next measure",
    "spectrogram": "the selected layer's ESD over steps, with xmin, λ₊ and the traps as lines",
    "accuracy": "share of the images that are classified right, training and test",
    "α": "α of each layer over steps; over-trained where its interval is below 2",
    "KS p": "the table's p over steps; dashed: 0.05",
    "classes": "share of each predicted class of the test images: one may swallow the rest",
    "sparsity": "share of hidden activations below a threshold; paper: activation sparsity",
    "circuit complexity": "KL between the net's outputs with and without 10 % of its weights",
    "stable rank": "‖W‖²/λ₁ of each layer",
    "loss": "mean loss over the training and the test images",
    "strain": "steepness since the start / open gates; 64: a collapse, of squared error",
    "capacity": "norm of the paths × product of the layers' norms; a collapse makes it grow",
    "units that a bright image lights": "gates: share of the units that still turn that a bright image lights",
    "chance that no unit is lit": "gates: chance that a fair-coin image lights no unit of the layer",
    "units that still learn": "gates: share of rows that have turned since the last checkpoint",
    "bias / ‖w‖ of a unit": "gates: bias over the norm of the unit's row; below 0 closes it",
    "mean weight of a unit, z": "gates: mean weight of a row in standard errors; below 0 closes it",
    "σ of the mean / σ of entries": "strength of the shifted mean, |mean|√(NM), over σ of the entries",
}

LINE = 78
"""Cells of a line on the usual terminal, less one on either side."""


def explained(topic: str) -> str:
    """The line for a topic, which it begins with where that leaves it in 78 cells."""
    text = COLUMNS.get(topic) or PANES.get(topic) or "as it is stored in the run"
    whole = f"{topic}: {text}"
    return whole if len(whole) <= LINE else text
