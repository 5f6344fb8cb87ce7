"""A due step's weights, held until the library has logged what belongs to that step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grokscope.recorder import Recorder
from grokscope.recorder.due import next_due
from grokscope.recorder.model import copied, is_sharded, unwrapped


class HeldCheckpoints:
    """Copies a model's weights at the end of a due step, and records them with the metrics that follow.

    On every process: a sharded model's weights are gathered by torch's own call, in which all of them take part
    whatever becomes of the recording on the first, which alone has a recorder.
    """

    def __init__(self, recorder: Recorder | None, model: Any, per_decade: int = 20) -> None:
        """Begin before the first step."""
        self._recorder, self._model, self._per_decade = recorder, unwrapped(model), per_decade
        self._sharded = is_sharded(self._model)
        self._next, self._step = 0, -1
        self._state: Mapping[str, Any] | None = None
        self._is_due = False
        self._metrics: dict[str, Any] = {}

    def ended(self, step: int, is_last: bool = False) -> None:
        """Tell that a step has ended: hold its weights where a checkpoint is due, or where it may be the last."""
        if step == self._step and self._state is not None:
            return
        if step != self._step:
            self._step, self._state, self._metrics = step, None, {}
        is_due = step >= self._next
        if is_due or is_last:
            self._is_due = is_due
            self._state = self._copied()
            self._next = next_due(step, self._per_decade) if is_due else self._next

    def _copied(self) -> Mapping[str, Any]:
        if self._sharded:
            from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

            options = StateDictOptions(full_state_dict=True, cpu_offload=True)
            return get_model_state_dict(self._model, options=options)
        if self._recorder is None:
            return {}
        return copied(self._model.state_dict())

    def logged(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Keep metrics of the step that has just ended."""
        if step == self._step:
            self._metrics |= metrics

    def write(self, final: bool = False) -> None:
        """Record what is held, where it was due, or is the last of all."""
        state, self._state = self._state, None
        if state is not None and self._recorder is not None and (self._is_due or final):
            self._recorder.step_of(state, self._step, self._metrics)

    def close(self, state: str = "finished") -> None:
        """Record the last step and close the file."""
        self.write(final=True)
        if self._recorder is not None:
            self._recorder.close(state)
