"""One file that holds many checkpoints is a trajectory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grokscope.importers import read_many
from tests.importers.written import adam, assert_same, network


@pytest.mark.parametrize("labels", ["epoch_{}", "{}", "step-{}"])
def test_many_checkpoints_under_labels(tmp_path: Path, labels: str) -> None:
    models = {step: network().state_dict() for step in (10, 200)}
    torch.save(
        {labels.format(step): state for step, state in models.items()} | {"losses": [1.0, 2.0]}, tmp_path / "m.pt"
    )
    many = read_many(tmp_path / "m.pt")
    assert many is not None
    word = "epoch" if "epoch" in labels else "step"
    assert [one.extra for one in many] == [{"losses": 1.0, word: 10}, {"losses": 2.0, word: 200}]
    for one, state in zip(many, models.values(), strict=True):
        assert_same(one, state)


def test_many_checkpoints_in_a_list_with_curves_beside(tmp_path: Path) -> None:
    curve = np.linspace(1, 0, 300).tolist()
    content = {
        "model": network().state_dict(),
        "checkpoints": [network().state_dict() for _ in range(3)],
        "checkpoint_epochs": [0, 100, 200],
        "train_losses": curve,
        "test_losses": [3.0, 2.0, 1.0],
    }
    torch.save(content, tmp_path / "grokking_demo.pth")
    many = read_many(tmp_path / "grokking_demo.pth")
    assert many is not None
    assert [one.extra["epoch"] for one in many] == [0, 100, 200]
    assert [one.extra["train_losses"] for one in many] == [curve[0], curve[100], curve[200]]
    assert [one.extra["test_losses"] for one in many] == [3, 2, 1]


def test_one_checkpoint_is_not_many(tmp_path: Path) -> None:
    torch.save({"model": network().state_dict(), "optimizer": adam(network())}, tmp_path / "m.pt")
    assert read_many(tmp_path / "m.pt") is None
