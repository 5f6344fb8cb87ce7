"""The recorder and an import of the saved file give the same layers and weights, whatever the architecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import grokscope
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints
from grokscope.trajectory.importing import write_run

torch = pytest.importorskip("torch")

from tests.importers.architectures import ARCHITECTURES  # noqa: E402

NOT_IN_THE_FILE = {"adapters": "a state dict does not say how much an adapter weighs"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in NOT_IN_THE_FILE])
def test_what_is_recorded_is_what_is_imported(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name]()
    with grokscope.Recorder(tmp_path / "recorded.h5", model, steps=10) as recorder:
        recorder.step(0)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    write_run(Checkpoints(tmp_path / "model.pt"), tmp_path / "imported.h5")
    recorded, imported = Run(tmp_path / "recorded.h5"), Run(tmp_path / "imported.h5")
    assert recorded.layers == imported.layers
    for layer in recorded.layers:
        ours, theirs = recorded.weight(0, layer.name), imported.weight(0, layer.name)
        np.testing.assert_array_equal(ours, theirs.astype(ours.dtype))
        if layer.bias:
            np.testing.assert_array_equal(
                recorded.bias(0, layer.name), imported.bias(0, layer.name).astype(np.float32)
            )


def test_there_are_twenty_architectures() -> None:
    assert len(ARCHITECTURES) - len(NOT_IN_THE_FILE) >= 20
