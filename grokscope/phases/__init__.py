"""Phase labels: observed from accuracy, and inferred from the weights alone, kept apart."""

from grokscope.phases.evidence import Evidence, LayerEvidence
from grokscope.phases.inferred import Inferred, infer
from grokscope.phases.observed import NO_PHASE, Observed, Thresholds, observe
from grokscope.phases.published import infer_as_published

PHASES = ("pre-grokking", "grokking", "anti-grokking")

__all__ = [
    "NO_PHASE",
    "PHASES",
    "Evidence",
    "Inferred",
    "LayerEvidence",
    "Observed",
    "Thresholds",
    "infer",
    "infer_as_published",
    "observe",
]
