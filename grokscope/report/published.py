"""What the paper prints, as far as it is known here, and where it cannot be what it says.

"Grokking and Generalization Collapse: Insights from HTSR theory" (arXiv 2506.04434), without weight decay, at the
right edges of the phases. A cell that is not here is not known here; it is left empty, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A printed value, and a note where it cannot be what it says."""

    text: str
    note: str = ""


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


def is_the_papers(experiment: Mapping[str, str]) -> bool:
    """Whether a run is the paper's experiment without weight decay, so that its values stand beside."""
    wanted = {"dataset": "mnist", "width": "200", "depth": "3", "init_scale": "8.0", "train_points": "1000",
              "weight_decay": "0.0", "optimizer": "adamw", "loss": "mse"}  # fmt: skip
    return all(experiment.get(name) == value for name, value in wanted.items())
