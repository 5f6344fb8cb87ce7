"""Records a PyTorch model while anybody's loop trains it, and never stands in the loop's way."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from grokscope.errors import GrokscopeError, RunLocked, UsageError
from grokscope.files import refuse_without_folder
from grokscope.importers.layers import layers_of
from grokscope.importers.metric_names import plain_name
from grokscope.importers.tensors import LayerSource
from grokscope.recorder.due import LARGEST_STEP, next_due
from grokscope.recorder.last_step import LastStep, State
from grokscope.recorder.metrics import Numbers
from grokscope.recorder.model import has_no_values, is_sharded, stored_tensors, unwrapped
from grokscope.recorder.recording import Options, Recording
from grokscope.recorder.troubles import Troubles
from grokscope.runfile import log_steps
from grokscope.runfile.layout import config_text

if TYPE_CHECKING:
    import torch


class Recorder:
    """Records a PyTorch module's weights and biases, and the metrics it is told, whenever a checkpoint is due.

        with grokscope.Recorder("run.h5", model) as recorder:
            for step in range(steps):
                ...
                recorder.step(step, train_accuracy=..., test_accuracy=...)

    Call `step` as often as you like, with numbers that grow over the whole training. Checkpoints are evenly spaced
    on a logarithmic axis, and the last step seen is one. What is a layer is decided as for an imported checkpoint.
    A metric may be a number, a tensor of one element, or a function without arguments that is called only when a
    checkpoint is due; accuracies are fractions from 0 to 1.

    Once it is made, nothing that the recorder meets stops the training: each kind of trouble is one warning, and a
    note in the file. Only the process that made it records: forks and copies of it do nothing.
    """

    def __init__(
        self,
        path: str | Path,
        model: torch.nn.Module,
        *,
        steps: int | None = None,
        checkpoints_per_decade: int = 20,
        metrics: Sequence[str] = (),
        config: Mapping[str, object] | None = None,
        store_dtype: str = "float32",
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        """Prepare to record `model` into `path`.

        `steps`, where known, reserves the whole file at once; else it grows in pieces. `metrics` names those that
        the first call of `step` does not mention. `config` is kept in the file. With `resume` an existing file is
        continued after its last checkpoint. Raises UsageError where the file exists or nothing can be recorded.
        """
        self.path = Path(path).absolute()  # a loop may change its folder
        self._model = unwrapped(model)
        self._troubles = Troubles()
        options = Options(
            path=self.path,
            steps=steps,
            per_decade=checkpoints_per_decade,
            metrics=tuple(map(plain_name, metrics)),
            config=dict(config or {}),
            store_dtype=store_dtype,
            overwrite=overwrite,
        )
        _refuse(options)
        self._recording = Recording(options, self._troubles)
        self._numbers, self._last = Numbers(self._troubles), LastStep()
        self._process, self._lock, self._busy, self._closing = os.getpid(), threading.RLock(), False, ""
        self._active, self._newest, self._next = True, -1, 0
        layers = self._layers_now()
        if resume and self.path.exists():
            self._recording.continue_file(layers)
            if self._recording.last >= 0:
                self._next = next_due(self._recording.last, checkpoints_per_decade)
        elif self.path.exists() and not overwrite:
            raise UsageError(f"{self.path} exists; give Recorder overwrite=True, or resume=True to continue it")
        else:
            refuse_without_folder(self.path)

    def _layers_now(self) -> dict[str, LayerSource]:
        """Return the layers, none where they cannot be told yet; raises UsageError where the model has none."""
        if is_sharded(self._model) or _waits(state := self._model.state_dict()):
            return {}
        return {layer.name: layer for layer in layers_of(stored_tensors(self._model, state))[0]}

    def step(self, step: int, /, **metrics: Any) -> bool:
        """Tell that training has reached `step`; return whether a checkpoint was recorded. Never raises."""
        return self._guarded(lambda: self._step(step, metrics))

    def step_of(self, state: State, step: int, metrics: Mapping[str, Any]) -> bool:
        """Record a state dict that was gathered from a sharded model, due or not. Never raises."""
        return self._guarded(lambda: self._is_new(step) and self._record(step, metrics, state))

    def _guarded(self, work: Callable[[], bool | None]) -> bool:
        """Do some work in the process that made the recorder, one at a time; what goes wrong is told."""
        if not self._active:
            return False
        if os.getpid() != self._process:
            self._troubles.tell(
                "fork",
                f"this process is a fork of the one that records into {self.path}; its steps are not recorded",
            )
            return False
        with self._lock:
            if self._busy:  # the handler of a signal that came in the midst of a checkpoint
                return False
            self._busy = True
            try:
                return bool(work())
            except Exception as error:
                self._tell(error)
                self._active = not isinstance(error, RunLocked)  # it is another process's file
                return False
            finally:
                self._busy = False
                if self._closing:
                    self.close(self._closing)

    def _tell(self, error: Exception) -> None:
        said = str(error) if isinstance(error, GrokscopeError) else f"{type(error).__name__}: {error}"
        self._troubles.tell(type(error).__name__, f"a checkpoint was not recorded: {' '.join(said.split())}")

    def _step(self, number: Any, metrics: Mapping[str, Any]) -> bool:
        step = _whole(number)
        if step is None or not 0 <= step <= LARGEST_STEP:
            self._troubles.tell("number", f"{number!r:.40} is no step; give whole numbers from 0 that grow")
            return False
        if not self._is_new(step):
            return False
        is_due = step >= self._next
        if is_due and is_sharded(self._model):
            self._troubles.tell(
                "sharded", "the model is sharded over several processes and is not recorded; the callbacks in "
                "grokscope.integrations gather it"
            )  # fmt: skip
            self._active = False
            return False
        state = self._model.state_dict()
        if is_due:
            return self._record(step, metrics, state)
        self._last.keep(step, metrics, state)
        self._recording.beat(step)
        return False

    def _is_new(self, step: int) -> bool:
        """Tell whether a step is new; say where a counter starts anew, or a resumed run behind its file."""
        recorded = self._recording.last
        if self._newest < 0 and step <= recorded:
            self._troubles.tell(
                "skip", f"{self.path.name} holds checkpoints up to step {recorded:,} already; training goes on at "
                f"step {step:,}, and nothing is recorded until it has passed {recorded:,}"
            )  # fmt: skip
        if step < self._newest:
            self._troubles.tell(
                "back", f"the step went back from {self._newest:,} to {step:,}; nothing is recorded until it has "
                f"passed {self._newest:,}: give steps that grow over the whole training"
            )  # fmt: skip
            return False
        self._newest = step
        return step > recorded

    def _record(self, step: int, metrics: Mapping[str, Any], state: State) -> bool:
        if _waits(state):
            self._troubles.tell(
                "waits", f"parts of the model have no values at step {step:,} (lazy modules, the meta device); "
                "nothing is recorded until they have"
            )  # fmt: skip
            return False
        self._next = next_due(step, self._recording.options.per_decade)  # a failure is tried again only then
        self._recording.add(step, stored_tensors(self._model, state), self._numbers.of(step, metrics))
        return True

    def close(self, state: str = "finished") -> None:
        """Record the last step seen, cut the file to what was recorded, and close it; idempotent. Never raises."""
        if not self._active or os.getpid() != self._process:
            return
        if self._busy:
            self._closing = state
            return
        self._closing = ""
        self._guarded(self._record_last)
        self._guarded(lambda: self._recording.finish(state))
        self._guarded(self._recording.close)
        self._active = False

    def _record_last(self) -> bool:
        step = self._last.step
        if step <= self._recording.last or step < self._newest:
            return False
        recalled = self._last.recalled(self._model.state_dict())
        if recalled is None:
            self._troubles.tell(
                "last", f"the weights have changed since step {step:,}, the last one told, which is therefore no "
                "checkpoint; tell a step after its update"
            )  # fmt: skip
            return False
        state, metrics = recalled
        return self._record(step, metrics, state)

    def __enter__(self) -> Recorder:
        """Return the recorder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; after an exception the run counts as interrupted."""
        self.close("finished" if error is None else "interrupted")

    def __getstate__(self) -> dict[str, Any]:
        """Let copies, such as those that are sent to other processes, record nothing."""
        return {"path": self.path, "_active": False}


def _refuse(options: Options) -> None:
    """Refuse, before training begins, options that no run file can be made with."""
    log_steps(options.steps or 0, options.per_decade)
    try:
        is_float = np.dtype(options.store_dtype).kind == "f"
    except TypeError:
        is_float = False
    if not is_float:
        raise UsageError(f"store_dtype is {options.store_dtype!r}; give float32 or float64")
    config_text(options.config)


def _waits(state: State) -> bool:
    return any(hasattr(tensor, "detach") and has_no_values(tensor) for tensor in state.values())


def _whole(number: Any) -> int | None:
    """Return a step as an int: of an integer of any kind, or a float or tensor that is one."""
    try:
        return operator.index(number)
    except TypeError:
        pass
    try:
        value = float(number)
        return int(value) if value.is_integer() and not isinstance(number, (str, bytes)) else None
    except (TypeError, ValueError, RuntimeError):
        return None
