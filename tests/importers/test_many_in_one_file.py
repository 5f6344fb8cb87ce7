"""One file that holds many checkpoints is a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grokscope.importers import layers_of, read_many, read_tensors
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
    assert [[out.name for out in layers_of(one)[1]] for one in many] == [["model"]] * 3


def weights(**more: object) -> dict[str, Any]:
    return {"a": torch.ones(3, 2), "b": torch.ones(2, 3), **more}


@pytest.mark.parametrize(
    "content",
    [
        [weights(), weights()],
        {"snapshots": [weights(), weights()]},
        {"model": weights(), "history": [weights(), weights()]},
        {"runs": [{"epoch": 3, "model": weights()}, {"epoch": 5, "model": weights()}], "probe": torch.ones(7, 7)},
        {"weights": [weights(), weights()], "val_loss": [2.0, 1.0]},
        {"epoch_3": weights(), "epoch_5": weights(), "probe": torch.ones(7, 7)},
    ],
)
def test_checkpoints_are_told_by_a_name_a_step_or_a_curve(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "m.pt")
    many = read_many(tmp_path / "m.pt")
    assert many is not None
    assert len(many) == 2
    beside = {"model", "probe"} & set(content) if isinstance(content, dict) else set()
    assert {out.name for out in layers_of(many[0])[1]} == beside


@pytest.mark.parametrize(
    ("content", "matrices"),
    [
        ({"model": weights(), "optimizer": adam(network())}, 2),
        ({"embed": torch.ones(9, 2), "blocks": [weights(), weights()], "losses": [2.0, 1.0]}, 5),
        ({"embed": torch.ones(9, 2), "layers": {0: weights(), 1: weights()}}, 5),
        ({"models": [weights(), weights()], "names": ["a", "b"], "sizes": [3, 2]}, 4),
        ({"state_dict": weights(), "optimizer_states": [{"a": torch.ones(3, 2), "step": n} for n in (1, 2)]}, 2),
        ({"state_dict": weights(), "optimizer_states": [{"state": {0: weights(), 1: weights()}}] * 2}, 2),
    ],
)
def test_parts_of_one_network_are_one_checkpoint(tmp_path: Path, content: object, matrices: int) -> None:
    torch.save(content, tmp_path / "m.pt")
    assert read_many(tmp_path / "m.pt") is None
    assert len(layers_of(read_tensors(tmp_path / "m.pt"))[0]) == matrices
