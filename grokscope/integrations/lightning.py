"""The Recorder as a Lightning callback: `Trainer(callbacks=[GrokscopeCallback("run.h5")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from grokscope.recorder import Recorder


class GrokscopeCallback(Callback):
    """Records a LightningModule at log-spaced optimizer steps, with the metrics that it logs.

    `names` maps names of logged metrics to the run file's, such as {"val_acc": "test_accuracy"}; without it
    every logged number is recorded under its own name. Further arguments go to `Recorder`.
    """

    def __init__(self, path: str | Path, *, names: dict[str, str] | None = None, **options: Any) -> None:
        """Prepare to record into `path`."""
        self._path, self._names, self._options = Path(path), names, options
        self._recorder: Recorder | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the network as it starts, on the first process only."""
        if not trainer.is_global_zero:
            return
        metrics = tuple(self._names.values()) if self._names else ()
        options = {"metrics": metrics, **self._options}
        self._recorder = Recorder(self._path, pl_module, **options)
        self._recorder.step(trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record where a checkpoint is due."""
        if self._recorder is not None:
            self._recorder.step(trainer.global_step, **self._metrics(trainer))

    def _metrics(self, trainer: Trainer) -> dict[str, Any]:
        logged = trainer.callback_metrics
        names = {name: name for name in logged} if self._names is None else self._names
        return {ours: logged[theirs] for theirs, ours in names.items() if theirs in logged}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the last step and close the file."""
        if self._recorder is not None:
            self._recorder.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the file of a run that was stopped."""
        if self._recorder is not None:
            self._recorder.close("interrupted")
