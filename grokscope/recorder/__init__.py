"""A recorder for anybody's training loop: weights and metrics at log-spaced steps, into a run file."""

from grokscope.recorder.recorder import Recorder

__all__ = ["Recorder"]
