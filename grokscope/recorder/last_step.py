"""The last step that was told: its weights as they were then, for it to become a checkpoint at the end.

Nobody knows that a step is the last one before it is over, and a loop may go on to change the weights. Small
models are copied at every step, in memory; of large ones it is noted whether torch has counted a change since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grokscope.recorder.metrics import copied as copied_metrics
from grokscope.recorder.model import copied, has_no_values

COPIED_BYTES = 1 << 23  # a copy of 8 MiB takes about a millisecond

State = Mapping[str, Any]


class LastStep:
    """The newest step, what was told of it, and its weights or whether they have changed since."""

    def __init__(self) -> None:
        """Begin with no step."""
        self.step = -1
        self._metrics: dict[str, Any] = {}
        self._copies: dict[str, Any] = {}
        self._stamps: list[tuple[str, int, int]] = []

    def keep(self, step: int, metrics: Mapping[str, Any], state: State) -> None:
        """Keep a step that is no checkpoint yet; `state` is the model's state dict."""
        self.step, self._metrics = step, copied_metrics(metrics)
        tensors = _tensors(state)
        self._stamps = _stamps(tensors)
        if sum(tensor.nbytes for tensor in tensors.values()) <= COPIED_BYTES:
            self._copies = copied(tensors, self._copies)
        else:
            self._copies = {}

    def recalled(self, state: State) -> tuple[State, dict[str, Any]] | None:
        """Return (state dict, metrics) of the step, or None where its weights have changed and were not copied.

        Functions among the metrics would see the changed weights: they are left out then.
        """
        tensors = _tensors(state)
        if _stamps(tensors) == self._stamps and all(
            _equal(tensors[name], self._copies[name]) for name in self._copies
        ):
            return state, self._metrics
        if not self._copies:
            return None
        return self._copies, {name: value for name, value in self._metrics.items() if not callable(value)}


def _tensors(state: State) -> dict[str, Any]:
    return {name: t.detach() for name, t in state.items() if hasattr(t, "detach") and not has_no_values(t)}


def _equal(tensor: Any, copy: Any) -> bool:
    """Tell a change that torch has not counted, such as one of `parameter.data`."""
    return bool((tensor == copy).all())


def _stamps(tensors: State) -> list[tuple[str, int, int]]:
    """Return what changes when a tensor is changed in place or replaced."""
    return [(name, _version(tensor), tensor.data_ptr()) for name, tensor in tensors.items()]


def _version(tensor: Any) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)
