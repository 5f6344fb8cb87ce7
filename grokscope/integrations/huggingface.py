"""The Recorder as a Hugging Face Trainer callback: `Trainer(callbacks=[GrokscopeCallback("run.h5")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from grokscope.integrations.held import HeldCheckpoints
from grokscope.recorder import Recorder

DEFAULT_NAMES = {"loss": "train_loss", "eval_loss": "test_loss", "eval_accuracy": "test_accuracy"}


class GrokscopeCallback(TrainerCallback):
    """Records a model at log-spaced optimizer steps: the weights at the end of the step, and what is logged of it.

    Every number that the Trainer logs is recorded, at the checkpoint of its own step and no other. `names` maps
    names of logged metrics to the run file's. Further arguments go to `Recorder`. A sharded model (FSDP) is
    gathered at each checkpoint, by all processes.
    """

    def __init__(self, path: str | Path, *, names: dict[str, str] | None = None, **options: Any) -> None:
        """Prepare to record into `path`."""
        self._path, self._options = Path(path), options
        self._names = DEFAULT_NAMES if names is None else names
        self._held: HeldCheckpoints | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold the network as it starts; the first process writes."""
        options = {"metrics": tuple(self._names.values()), "steps": state.max_steps, **self._options}
        recorder = Recorder(self._path, kwargs["model"], **options) if state.is_world_process_zero else None
        self._held = HeldCheckpoints(recorder, kwargs["model"], options.get("checkpoints_per_decade", 20))
        self._held.ended(state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the step before, of which everything is logged by now."""
        if self._held is not None:
            self._held.write()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold the weights where a checkpoint is due, or where training ends here."""
        if self._held is not None:
            self._held.ended(
                state.global_step, control.should_training_stop or state.global_step >= state.max_steps
            )

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep what is logged of this step."""
        logged = kwargs.get("logs") or {}
        if "train_runtime" in logged:  # means over the whole training
            return
        numbers = {self._names.get(name, name): value for name, value in logged.items() if _is_number(value)}
        if self._held is not None:
            self._held.logged(state.global_step, numbers)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold the weights: an evaluation may end the training, and others be loaded before that is told."""
        if self._held is not None:
            self._held.ended(state.global_step, is_last=True)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Record the last step and close the file."""
        if self._held is not None:
            self._held.close()


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
