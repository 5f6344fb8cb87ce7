"""Where the images of a run that is already there are found again, and which of them it is trained on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.names import safe_name
from grokscope.trajectory import Trajectory
from grokscope_train.data import has_dataset, user_data_folder


def data_folder(run: Trajectory, given: Path | None) -> Path | None:
    """Return the folder of a run's dataset: `given` where there is one, or the recorded one if it has the images.

    None stands for the user's data folder, as in `load_dataset`. A file travels, and its folder stays behind: the
    user did not ask for that one, so that it is passed by with a note on stderr.
    """
    recorded, dataset = run.config.get("data_dir"), str(run.config.get("dataset"))
    if given or not recorded:
        return given
    folder = Path(str(recorded))
    if has_dataset(dataset, folder):
        return folder
    note = (
        f"note: there is no {dataset} in {folder}, the folder that {run.name} names; it is taken from "
        f"{user_data_folder()}, and downloaded if it is not there"
    )
    sys.stderr.write(f"{safe_name(note)}\n")
    return None


def train_indices(run: Trajectory) -> NDArray[np.int64] | None:
    """Return the training images that a run was started with."""
    indices = run.fixed("train_indices")
    return None if indices is None else indices.astype(np.int64)
