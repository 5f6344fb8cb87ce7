"""What others have printed or their code gives, as far as it is known here, and where it cannot be what it says.

A cell that is not here is not known here; it is left empty, never guessed. `grokscope report` sets the paper's
values beside ours, `grokscope verify` reruns what can be rerun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "arXiv 2506.04434"
"""Prakash and Martin, "Grokking and Generalization Collapse: Insights from HTSR theory"."""

FOLLOW_UP = "arXiv 2602.02859"
"""Prakash and Martin, "Late-Stage Generalization Collapse in Grokking"."""

OMNIGROK = "Omnigrok's code (arXiv 2210.01117)"
"""Liu, Michaud and Tegmark, "Omnigrok: Grokking Beyond Algorithmic Data": its MNIST experiment, run once."""


@dataclass(frozen=True)
class Published:
    """A printed value, and a note where it cannot be what it says."""

    text: str
    note: str = ""


# The paper's tables: without weight decay, at the right edges of the phases.

ALPHA: Mapping[tuple[str, str], Published] = {
    ("anti-grokking", "fc1"): Published(
        "0.9",
        "a fitted α is above 1 by its definition, so a mean of 0.9 is no mean of fits: WeightWatcher reports a "
        "fit that failed as −1, and that is averaged with the others",
    ),
}
"""Table 1, by phase and layer."""

TRAPS: Mapping[tuple[str, str], Published] = {
    ("anti-grokking", "fc1"): Published("7.5 ± 5.6", "Table 4 of the paper counts 9 in one run"),
    ("anti-grokking", "fc2"): Published("1 ± 0"),
}
"""Table 2, by phase and layer."""


@dataclass(frozen=True)
class PublishedKs:
    """A row of Table 4: distance D of 200 eigenvalues, the p-value as printed, σ_mp and traps where known."""

    distance: float
    p: str
    sigma_mp: str = ""
    traps: str = ""


KS: Mapping[str, PublishedKs] = {
    "pre-grokking": PublishedKs(0.0120, ""),
    "grokking": PublishedKs(0.0212, "≈ 1"),
    "anti-grokking": PublishedKs(0.3044, "1.877e-5", "0.949", "9"),
}
"""Table 4, by phase; its layers have 200 eigenvalues."""

KS_EIGENVALUES = 200
KS_NOTE = (
    "at 200 eigenvalues D = 0.3044 has a naive p of 6e-17; the printed 1.877e-5 needs some 60 points. "
    "D = 0.0212 passes the naive test and not the calibrated one"
)
SIGMA_MP_BEFORE_THE_COLLAPSE = (0.999, 1.002)
"""Table 4's other two σ_mp; which of them is of which phase is not known here."""

PAPER_STEPS = 10_000_000


# The follow-up's appendices, without weight decay.

EXTREMES = {"fc1": (-14.78, 5.67), "fc2": (-4.68, 1.11), "fc3": (-1.61, 2.56)}
"""Appendix G: the least and the largest entry of each layer after 10⁷ steps."""

SCALE_SAID, SCALE_OF_ITS_NORM = 4.0, 1.5
NORM_AT_START = 17.52
"""Appendix I: the factor on the initial parameters, as its text says it; and the l² norm that it prints, which
is that of another factor: √8747 = 93.5 is the expectation at a factor of 8, 46.8 at 4 and 17.5 at 1.5."""


@dataclass(frozen=True)
class ScaledPoint:
    """Appendix I at one point of the training: test accuracy, and α of the first and second layer."""

    name: str
    test_accuracy: float
    alpha: tuple[float, float]


SCALED = (
    ScaledPoint("first", 0.493, (8.88, 3.84)),
    ScaledPoint("best", 0.888, (2.59, 2.77)),
    ScaledPoint("last", 0.618, (1.23, 1.49)),
)
"""Appendix I, in the order of training; at which steps is not known here."""

# Omnigrok's MNIST experiment: its first 1,000 images, learning rate 10⁻³, weight decay 0.01, one run.

OMNIGROK_OPTIONS = {"lr": 1e-3, "weight_decay": 0.01, "train_images": "first"}
OMNIGROK_TRAIN = {1_334: 0.949, 2_001: 0.996}
OMNIGROK_TEST = {10_005: 0.236, 20_010: 0.467, 30_015: 0.728, 50_025: 0.863, 99_383: 0.890}
"""Accuracies by step."""
