"""Metrics as people's loggers leave them: known names, percents, rows of one step, and steps that are one off."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from grokscope.errors import UsageError
from grokscope.importers import metrics_of, read_metrics
from grokscope.importers.metric_names import known_name
from grokscope.importers.metrics_table import at_steps


def table(tmp_path: Path, text: str, name: str = "metrics.csv") -> Path:
    """A file with this text."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("val_acc", "test_accuracy"), ("train/acc", "train_accuracy"), ("eval_accuracy", "test_accuracy"),
        ("Accuracy/val", "test_accuracy"), ("Loss/train", "train_loss"), ("eval_loss", "test_loss"),
        ("train_losses", "train_loss"), ("validation loss", "test_loss"), ("train_loss_epoch", "train_loss"),
        ("happy-sun-7 - val/acc", "test_accuracy"), ("val_acc1", "test_accuracy"),
        ("loss", ""), ("best_val_loss", ""), ("train_lr", ""), ("train_test_loss", ""), ("accelerate", ""),
    ],
)  # fmt: skip
def test_known_names(name: str, known: str) -> None:
    assert known_name(name) == known


def test_rows_of_one_step_are_merged_as_lightning_writes_them(tmp_path: Path) -> None:
    text = "epoch,step,train_loss,val_loss,val_acc\n0,9,0.5,,\n0,9,,0.7,0.25\n1,19,0.4,,\n1,19,,0.6,0.5\n"
    metrics = read_metrics(table(tmp_path, text))
    assert metrics == {
        9: {"epoch": 0, "train_loss": 0.5, "test_loss": 0.7, "test_accuracy": 0.25},
        19: {"epoch": 1, "train_loss": 0.4, "test_loss": 0.6, "test_accuracy": 0.5},
    }
    assert metrics.notes == ("val_acc is read as test_accuracy", "val_loss is read as test_loss")


def test_a_contradiction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"line 3: x of step 9 is 2 and was 1 in an earlier line"):
        read_metrics(table(tmp_path, "step,x\n9,1\n9,2\n"))
    assert read_metrics(table(tmp_path, "step,x\n9,1\n9,1.0\n9,nan\n")) == {9: {"x": 1}}


@pytest.mark.parametrize(
    ("step", "expected", "told"),
    [
        ((10, 20), [0.1, 0.2], True),
        ((9, 19), [0.1, 0.2], False),
        ((9, 20), [0.1, None], False),
        ((11, 21), [], False),
    ],
)
def test_metrics_of_one_step_before_are_taken_where_none_is_exact(
    tmp_path: Path, step: tuple[int, ...], expected: list[float | None], told: bool
) -> None:
    metrics = read_metrics(table(tmp_path, "step,x\n9,0.1\n19,0.2\n"))
    rows, sentence = at_steps(metrics, step)
    assert [row.get("x") for row in rows] == (expected or [None, None])
    assert bool(sentence) == told


def test_percents_become_fractions_and_it_is_said(tmp_path: Path) -> None:
    metrics = read_metrics(table(tmp_path, "step,test_acc,train_accuracy,loss\n1,12,0.1,40\n2,100,1.0,30\n"))
    assert metrics[1] == {"test_accuracy": 0.12, "train_accuracy": 0.1, "loss": 40}
    assert metrics[2]["test_accuracy"] == 1
    assert "test_accuracy is in percent and was divided by 100" in metrics.notes


@pytest.mark.parametrize("values", [("0.5", "1.2"), ("50", "101"), ("-1", "50")])
def test_accuracies_that_are_neither_are_refused(tmp_path: Path, values: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="neither a fraction nor a percentage"):
        read_metrics(table(tmp_path, f"step,acc\n1,{values[0]}\n2,{values[1]}\n"))


@pytest.mark.parametrize("header", ["step", "Step", "_step", "global_step", "iter", "epoch"])
def test_a_column_that_counts_is_the_step(tmp_path: Path, header: str) -> None:
    metrics = read_metrics(table(tmp_path, f"{header},x\n5,0.5\n"))
    assert metrics == {5: {"x": 0.5}}
    assert metrics.notes == (() if header == "step" else (f"{header} is read as the step",))


def test_the_test_set_comes_before_a_validation_set(tmp_path: Path) -> None:
    metrics = read_metrics(table(tmp_path, "step,val_acc,test_acc\n1,0.2,0.3\n"))
    assert metrics == {1: {"test_accuracy": 0.3, "val_acc": 0.2}}


@pytest.mark.parametrize(
    ("columns", "values", "notes"),
    [
        ("train_loss,train/loss", {"train_loss": 1, "train.loss": 2}, ()),
        ("train/loss,train_loss", {"train.loss": 1, "train_loss": 2}, ()),
        ("val_loss,test/loss,test_loss", {"val_loss": 1, "test.loss": 2, "test_loss": 3}, ()),
        ("a.b,a/b", {"a.b": 1, "a.b~2": 2}, ("a/b is read as a.b~2",)),
    ],
)
def test_no_column_takes_the_place_of_another(
    tmp_path: Path, columns: str, values: dict[str, float], notes: tuple[str, ...]
) -> None:
    numbers = range(1, len(values) + 1)
    metrics = read_metrics(table(tmp_path, f"step,{columns}\n9,{','.join(map(str, numbers))}\n"))
    assert (metrics, metrics.notes) == ({9: values}, notes)
    if "train/loss" in columns:
        assert metrics_of(dict(zip(columns.split(","), numbers, strict=True))) == values


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"_step": 1, "train": {"loss": 0.5}, "host": "a"},
        {"_step": 1, "val/acc": 0.25},
        {"_step": 2, "val/acc": 0.5},
    ]
    path = table(tmp_path, "\n".join(map(json.dumps, rows)) + "\n", "log.jsonl")
    assert read_metrics(path) == {1: {"train_loss": 0.5, "test_accuracy": 0.25}, 2: {"test_accuracy": 0.5}}
    with pytest.raises(UsageError, match="line 2"):
        read_metrics(table(tmp_path, '{"step": 1}\n{"step"\n', "log.jsonl"))


def test_the_state_of_the_hugging_face_trainer(tmp_path: Path) -> None:
    history = [
        {"step": 10, "epoch": 0.5, "loss": 2.0, "learning_rate": 1e-3},
        {"step": 10, "epoch": 0.5, "eval_loss": 2.5, "eval_accuracy": 0.25},
        {"step": 20, "epoch": 1.0, "loss": 1.0, "learning_rate": 0.0},
        {"step": 20, "epoch": 1.0, "train_loss": 1.5, "train_runtime": 9.0},
    ]
    path = table(tmp_path, json.dumps({"log_history": history, "global_step": 20}, indent=1), "trainer_state.json")
    metrics = read_metrics(path)
    assert metrics[10]["test_accuracy"] == 0.25
    assert [row["train_loss"] for row in metrics.values()] == [2, 1]  # not the last line's mean over the training
    assert "loss is read as train_loss" in metrics.notes


def test_tensorboard(tmp_path: Path) -> None:
    writer = pytest.importorskip("tensorboardX").SummaryWriter(str(tmp_path))
    for step in (1, 20):
        writer.add_scalar("Loss/train", 1 / step, step)
        writer.add_scalar("Accuracy/val", step / 20, step)
    writer.add_histogram("weights", [1.0, 2.0], 1)
    writer.close()
    (path,) = tmp_path.glob("*tfevents*")
    metrics = read_metrics(path)
    assert sorted(metrics) == [1, 20]
    assert metrics[20] == {"train_loss": pytest.approx(0.05), "test_accuracy": 1}
    content = path.read_bytes()
    path.write_bytes(content[:-5])  # still being written
    assert sorted(read_metrics(path)) == [1, 20]
    for at, why in ((content.rindex(b"Accuracy") + 2, "not what was written"), (8, "damaged at byte 0")):
        flipped = bytearray(content)
        flipped[at] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(UsageError, match=why):
            read_metrics(path)
    path.write_bytes(b"hello, this is no event file, but it is long enough")
    with pytest.raises(UsageError, match="no event file"):
        read_metrics(path)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "step,x\nsoon,2\n",
        "step,x\n1,two\n2,3\n",
        "step,x\ninf,2\n",
        "step,x\n-1,2\n",
        "epoch,x\n0.9,2\n1.9,2\n",
    ],
)
def test_bad_tables_name_their_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"metrics\.csv"):
        read_metrics(table(tmp_path, text))


def test_columns_of_text_are_passed_over_and_it_is_said(tmp_path: Path) -> None:
    metrics = read_metrics(table(tmp_path, "\ufeffstep, x ,note\n1,0.5,warm-up\n"))
    assert metrics == {1: {"x": 0.5}}
    assert metrics.notes == ("note is text and is not used",)


def test_losses_inside_a_checkpoint() -> None:
    extra = {
        "val_loss": 0.5,
        "epoch": 3,
        "test_acc": 0.25,
        "config.loss": 1,
        "best_val_loss": 0.1,
        "loss": math.inf,
    }
    assert metrics_of(extra) == {"test_loss": 0.5, "test_accuracy": 0.25, "loss": math.inf}
