"""The Recorder as a Hugging Face Trainer callback: `Trainer(callbacks=[GrokscopeCallback("run.h5")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from grokscope.recorder import Recorder

DEFAULT_NAMES = {"loss": "train_loss", "eval_loss": "test_loss", "eval_accuracy": "test_accuracy"}


class GrokscopeCallback(TrainerCallback):
    """Records a model at log-spaced optimizer steps, with the newest metrics that the Trainer has logged.

    `names` maps names of logged metrics to the run file's. Further arguments go to `Recorder`.
    """

    def __init__(self, path: str | Path, *, names: dict[str, str] | None = None, **options: Any) -> None:
        """Prepare to record into `path`."""
        self._path, self._options = Path(path), options
        self._names = DEFAULT_NAMES if names is None else names
        self._recorder: Recorder | None = None
        self._logged: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the network as it starts, on the first process only."""
        if not state.is_world_process_zero:
            return
        options = {"metrics": tuple(self._names.values()), "steps": state.max_steps, **self._options}
        self._recorder = Recorder(self._path, kwargs["model"], **options)
        self._recorder.step(state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the newest metrics."""
        logged = kwargs.get("logs") or {}
        self._logged |= {ours: logged[theirs] for theirs, ours in self._names.items() if theirs in logged}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record where a checkpoint is due."""
        if self._recorder is not None:
            self._recorder.step(state.global_step, **self._logged)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the last step and close the file."""
        if self._recorder is not None:
            self._recorder.close()
