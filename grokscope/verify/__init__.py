"""What others printed or computed, rerun: their numbers beside ours, with how far apart they may be."""

from grokscope.verify.checks import CHECKS, Check, Means
from grokscope.verify.comparison import AGREES, DIFFERS, NOT_COMPARED, Comparison

__all__ = ["AGREES", "CHECKS", "DIFFERS", "NOT_COMPARED", "Check", "Comparison", "Means"]
