"""Step after step in the order of the epochs: one at a time on a CPU, a whole epoch at a time on a GPU."""

from __future__ import annotations

from collections.abc import Sequence

from grokscope_train.graphed import graphed_epochs
from grokscope_train.order import epoch_orders
from grokscope_train.step import TrainingStep


class Epochs:
    """Moves a training step on; `done` counts the steps taken."""

    def __init__(self, step: TrainingStep, seeds: Sequence[int]) -> None:
        """Begin at step 0 with the orders that the seeds give, one for each seed of the stack."""
        self._step, self._seeds = step, seeds
        self._graphed = graphed_epochs(step, seeds)
        self.done = 0

    def advance(self, limit: int) -> None:
        """Take training steps, not beyond step `limit`: one on a CPU, a whole epoch on a GPU where it fits."""
        epoch, place = divmod(self.done, self._step.steps_per_epoch)
        if place == 0 and self._graphed is not None and self.done + self._step.steps_per_epoch <= limit:
            self._graphed.replay(epoch)
            self.done += self._step.steps_per_epoch
            return
        if place == 0:
            self._shuffle(epoch)
        self.done += 1
        self._step.step(self.done)

    def seek(self, step: int) -> None:
        """Go on as if `step` steps had been taken."""
        self.done = step
        epoch, place = divmod(step, self._step.steps_per_epoch)
        if place:
            self._shuffle(epoch)

    def _shuffle(self, epoch: int) -> None:
        self._step.shuffle(epoch_orders(self._seeds, epoch, self._step.num_images))
