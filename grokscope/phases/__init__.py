"""Phase labels: observed from accuracy, and inferred from the weights alone, kept apart."""

from grokscope.phases.inferred import Inferred, LayerEvidence, infer
from grokscope.phases.observed import Observed, Thresholds, observe

PHASES = ("pre-grokking", "grokking", "anti-grokking")

__all__ = ["PHASES", "Inferred", "LayerEvidence", "Observed", "Thresholds", "infer", "observe"]
