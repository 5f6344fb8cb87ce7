"""What analysis, app and reports read: checkpoints over steps, whoever saved them and however."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grokscope.runfile import LayerSpec, LeftOut, Liveness


class Trajectory(Protocol):
    """Checkpoints of one network in order of their steps; weights are read when asked for, a layer at a time.

    A run file is one, a folder of checkpoints, a file with many of them, and a single model with its one step.
    Nothing is kept open between calls, and a Trajectory can be pickled.
    """

    @property
    def path(self) -> Path:
        """The file or folder."""

    @property
    def name(self) -> str:
        """Its name, without the folder that it lies in."""

    @property
    def uuid(self) -> str:
        """The identity by which its spectra are found: stored in a run file, made of the path elsewhere."""

    @property
    def origin(self) -> str:
        """Where it came from, in words."""

    @property
    def created(self) -> str:
        """When it was created, ISO 8601 in UTC."""

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration as far as it is known, as plain values."""

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps of the checkpoints, ascending, int64 [n]."""

    @property
    def planned_steps(self) -> NDArray[np.int64]:
        """The steps at which a checkpoint is or will be, int64 [T]."""

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there were at the last `refresh`."""

    @property
    def complete(self) -> bool:
        """Whether every planned checkpoint is there."""

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers, in order: of all checkpoints together, where a layer comes or goes."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What is no layer, and why: it weakens every verdict on the layers."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know of how it was recorded or read, a sentence each."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics."""

    @property
    def classes(self) -> int | None:
        """How many labels the test predictions count, or None where they were not recorded."""

    def weight(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's weight [out, in, ...] at a checkpoint; NaN where that checkpoint does not have it."""

    def bias(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's bias [out] at a checkpoint."""

    def metrics(self) -> Mapping[str, NDArray[np.float64]]:
        """Return every metric over the checkpoints, float64 [n], NaN where it is not known."""

    def predictions(self) -> NDArray[np.int32] | None:
        """Return how many test images got each label, int32 [n, classes], or None where not recorded."""

    def wall_time(self) -> NDArray[np.float64]:
        """Return when each checkpoint was saved, seconds since 1970, float64 [n]."""

    def fixed(self, name: str) -> NDArray[np.generic] | None:
        """Return an array that was written once for the whole run, such as `train_indices`, or None."""

    def liveness(self) -> Liveness:
        """Tell how the training stands."""

    def refresh(self) -> bool:
        """Look again; return whether the checkpoints have changed."""

    def crc32(self, index: int) -> int:
        """Return a key of a checkpoint's step and contents, which no others share but by chance."""

    def crc32s(self, indices: Iterable[int] | None = None) -> NDArray[np.uint32]:
        """Return the keys of all checkpoints, or of those asked for and anything for others, uint32 [n]."""

    def verify(self, index: int) -> None:
        """Raise DamagedCheckpoint where a checkpoint's bytes are known not to be the ones that were written."""


def is_single(trajectory: Trajectory) -> bool:
    """Tell whether there is one checkpoint and no other will come: a model, without a history."""
    return trajectory.num_checkpoints == 1 and trajectory.complete
