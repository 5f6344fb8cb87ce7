"""The Recorder as a Lightning callback: `Trainer(callbacks=[GrokscopeCallback("run.h5")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from grokscope.integrations.held import HeldCheckpoints
from grokscope.recorder import Recorder


class GrokscopeCallback(Callback):
    """Records a LightningModule at log-spaced optimizer steps, with every number that it logs at that step.

    A validation's metrics go to the step after which it ran, and to no other. `names` maps names of logged metrics
    to the run file's, such as {"val_acc": "test_accuracy"}, and leaves out the others. Further arguments go to
    `Recorder`. A sharded model (FSDP) is gathered at each checkpoint, by all processes.
    """

    def __init__(self, path: str | Path, *, names: dict[str, str] | None = None, **options: Any) -> None:
        """Prepare to record into `path`."""
        self._path, self._names, self._options = Path(path), names, options
        self._held: HeldCheckpoints | None = None
        self._before: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold the network as it starts; the first process writes."""
        options = {"metrics": tuple(self._names.values()) if self._names else (), **self._options}
        model = trainer.strategy.model or pl_module
        recorder = Recorder(self._path, pl_module, **options) if trainer.is_global_zero else None
        self._held = HeldCheckpoints(recorder, _whole(model, pl_module), options.get("checkpoints_per_decade", 20))
        self._held.ended(trainer.global_step)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record the step before, of which everything is logged by now."""
        if self._held is not None:
            self._held.write()
        self._before = dict(trainer.callback_metrics)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hold the weights where a checkpoint is due, or where training may end here."""
        if self._held is not None:
            is_last = trainer.should_stop or trainer.is_last_batch or trainer.global_step == trainer.max_steps
            self._held.ended(trainer.global_step, is_last)
        self._keep_news(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See which metrics there are before."""
        self._before = dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold the weights, since a validation may end the training, and keep its metrics."""
        if self._held is not None and not trainer.sanity_checking:
            self._held.ended(trainer.global_step, is_last=True)
            self._keep_news(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is logged of the epoch, at its last step."""
        self._keep_news(trainer)

    def _keep_news(self, trainer: Trainer) -> None:
        """Keep the metrics that are not the very values of before."""
        now = dict(trainer.callback_metrics)
        news = {name: value for name, value in now.items() if self._before.get(name) is not value}
        self._before = now
        if self._held is None:
            return
        names = {name: name for name in news} if self._names is None else self._names
        self._held.logged(
            trainer.global_step, {ours: news[theirs] for theirs, ours in names.items() if theirs in news}
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the last step and close the file."""
        if self._held is not None:
            self._held.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the file of a run that was stopped."""
        if self._held is not None:
            self._held.close("interrupted")


def _whole(model: Any, pl_module: LightningModule) -> Any:
    """Return what is to be gathered: the strategy's model where it shards it from outside, else the module."""
    return model if type(model).__name__ == "FullyShardedDataParallel" else pl_module
