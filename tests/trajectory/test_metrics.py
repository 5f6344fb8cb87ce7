"""A checkpoint gets the row of a table that counts as the checkpoints do; a table that is given counts most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grokscope.errors import UsageError
from grokscope.trajectory import Checkpoints, Opening
from tests.trajectory.test_layouts import safetensors

BOTH = "epoch,step,x\n" + "".join(f"{(step - 1) // 10 + 1},{step},{step}\n" for step in range(1, 31))
EPOCHS = "epoch,x\n" + "".join(f"{epoch},{epoch}\n" for epoch in range(1, 31))


def opened(folder: Path, names: list[str], table: str, name: str = "metrics.csv") -> Checkpoints:
    """Checkpoints of these names, with a table beside them."""
    for number, called in enumerate(names):
        safetensors(folder / f"{called}.safetensors", number)
    (folder / name).write_text(table)
    return Checkpoints(folder)


@pytest.mark.parametrize(
    ("names", "table", "values", "said"),
    [
        (["epoch_1", "epoch_3"], BOTH, [10, 30], "epoch is read as the step"),  # at the ends of the epochs
        (["step_1", "step_3"], BOTH, [1, 3], "metrics from"),
        (["m_1", "m_3"], BOTH, None, "both as steps and as epochs"),
        (["m_10", "m_20"], BOTH, [10, 20], "metrics from"),  # there are no such epochs
        (["m_1", "m_3"], BOTH.replace("epoch", "lap"), [1, 3], "metrics from"),
        (
            ["step_10", "step_20"],
            EPOCHS,
            None,
            "epochs up to 30, and the checkpoints are at steps up to 20",
        ),
        (["step_10", "step_30"], EPOCHS, [10, 30], "epoch is read as the step"),  # of one step each
        (["epoch_1", "epoch_2"], EPOCHS.replace("epoch", "step"), None, "counts steps up to 30"),
        (["m_1", "m_3"], EPOCHS, [1, 3], "epoch is read as the step"),
    ],
)
def test_the_rows_are_told_by_what_the_checkpoints_count(
    tmp_path: Path, names: list[str], table: str, values: list[float] | None, said: str
) -> None:
    checkpoints = opened(tmp_path, names, table)
    assert any(said in note for note in checkpoints.notes), checkpoints.notes
    found = checkpoints.metrics().get("x")
    assert (None if found is None else found.tolist()) == values


def test_a_table_that_counts_otherwise_and_was_asked_for_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, ["step_10", "step_20"], EPOCHS, "given.csv")
    with pytest.raises(UsageError, match="give it a column `step`"):
        Checkpoints(tmp_path, Opening(metrics=tmp_path / "given.csv"))


def test_the_users_table_comes_before_what_the_files_say_and_that_before_a_table_beside(tmp_path: Path) -> None:
    for step in (10, 20):
        torch.save({"model": {"fc.weight": torch.ones(3, 2)}, "val_acc": step / 100}, tmp_path / f"step_{step}.pt")
    for name, last in (("metrics.csv", 0.5), ("given.txt", 0.92)):
        (tmp_path / name).write_text(f"step,val_acc,x\n20,{last},7\n")
    beside, given = Checkpoints(tmp_path), Checkpoints(tmp_path, Opening(metrics=tmp_path / "given.txt"))
    assert beside.metrics()["test_accuracy"].tolist() == [0.1, 0.2]
    assert given.metrics()["test_accuracy"].tolist() == [0.1, 0.92]
    assert all(np.array_equal(one.metrics()["x"], [np.nan, 7], equal_nan=True) for one in (beside, given))
