"""Step after step in the order of the epochs: one at a time on a CPU, a whole epoch at a time on a GPU.

There an epoch is a CUDA graph: data, order and state stay on the GPU, and the host only launches. A step is some
thirty kernels of microseconds each; launching them one by one costs more than they compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from grokscope_train.order import epoch_orders
from grokscope_train.step import TrainingStep

ROWS_AHEAD = 1_000_000  # rows drawn and copied to the GPU at once: a thousand epochs of a thousand images
EPOCHS_AHEAD = 1000
WARM_UP_EPOCHS = 3  # libraries choose their kernels and workspaces before the capture


class GraphedEpochs:
    """Replays a captured epoch, each time with the orders of the epoch that is due."""

    def __init__(self, step: TrainingStep, seeds: Sequence[int]) -> None:
        """Capture one epoch of `step`, whose state stays as it is. Raises RuntimeError where CUDA refuses."""
        self._step, self._seeds = step, seeds
        self._ahead = min(max(ROWS_AHEAD // len(step.rows), 1), EPOCHS_AHEAD)
        self._first = -self._ahead
        self._rows: Any = None
        saved = step.state()
        try:
            self._graph = _captured(step)
        finally:
            step.load_state(saved)

    def replay(self, epoch: int) -> None:
        """Train epoch number `epoch`; returns as soon as it is launched."""
        self._step.rows[...] = self._rows_of(epoch)
        self._step.set_count(epoch * self._step.steps_per_epoch)
        self._graph.replay()

    def _rows_of(self, epoch: int) -> Any:
        if not self._first <= epoch < self._first + self._ahead:
            self._first = epoch
            epochs = range(epoch, epoch + self._ahead)
            orders = np.stack([epoch_orders(self._seeds, e, self._step.num_images) for e in epochs])
            self._rows = self._step.engine.array(self._step.epoch_rows(orders))
        return self._rows[epoch - self._first]


def _captured(step: TrainingStep) -> Any:
    """Capture an epoch on a stream of its own, which makes the step's device the current one meanwhile."""
    import torch

    graph, device = torch.cuda.CUDAGraph(), step.engine.device
    side, current = torch.cuda.Stream(device), torch.cuda.current_stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(current)
    try:
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_EPOCHS):
                step.epoch()
            with torch.cuda.graph(graph, stream=side):
                step.epoch()
    finally:
        current.wait_stream(side)
    return graph


def graphed_epochs(step: TrainingStep, seeds: Sequence[int]) -> GraphedEpochs | None:
    """Return the graph of an epoch, or None on a CPU and, with a warning, where CUDA cannot capture it."""
    if step.engine.device == "cpu":
        return None
    try:
        return GraphedEpochs(step, seeds)
    except RuntimeError as error:
        warnings.warn(f"no CUDA graph, training step by step: {error}", RuntimeWarning, stacklevel=2)
        return None


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
