"""Every checkpoint gets the step that its author meant, or the folder is refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokscope.errors import UsageError
from grokscope.trajectory.numbering import number_checkpoints

NAMES = [
    # a labelled number before any other; never a decimal
    (["step=1000-val_loss=0.91", "step=2000-val_loss=0.47", "step=4000-val_loss=0.08"], [1000, 2000, 4000]),
    (["epoch=0-step=100", "epoch=0-step=200", "epoch=1-step=300"], [100, 200, 300]),
    (["epoch1_iter500", "epoch2_iter1000"], [500, 1000]),
    (["epoch1_iter500", "epoch2_iter500"], [1, 2]),
    (["1000_steps", "2000_steps"], [1000, 2000]),
    (["step1000-tokens4B", "step2000-tokens8B"], [1000, 2000]),
    (["global_step5", "global_step10"], [5, 10]),
    (["step20240501", "step20240502"], [20240501, 20240502]),
    # as --steps reads them
    (["step10k", "step100k", "step1M"], [10_000, 100_000, 1_000_000]),
    (["step_1e4", "step_1.5M", "step_2e+6"], [10_000, 1_500_000, 2_000_000]),
    (["step_500", "step_1,000", "step_10'000"], [500, 1000, 10_000]),
    (["lr1e-3_step10", "lr1e-3_step20"], [10, 20]),
    # the only number that varies
    (["checkpoint-500", "checkpoint-1000"], [500, 1000]),
    (["gpt2-124M-000500", "gpt2-124M-001000"], [500, 1000]),
    (["2024-05-01_model_7", "2024-05-02_model_9"], [7, 9]),
    (["model_v1_seed3_10", "model_v2_seed4_20"], [10, 20]),
    (["m_10_fp16", "m_20_fp32"], [10, 20]),
    (["ema_0.9999_100", "ema_0.9999_200"], [100, 200]),
    (["a-100", "model_200_final"], [100, 200]),
    (["loss2_acc91_5", "loss1_acc95_6"], [5, 6]),
    (["resnet_1_512", "resnet_2_512"], [1, 2]),
    (["epoch_1_100", "epoch_2_200"], [1, 2]),
]


@pytest.mark.parametrize(("names", "steps"), NAMES, ids=lambda value: str(value[0]))
def test_the_step_is_found_in_the_names(names: list[str], steps: list[int]) -> None:
    numbering = number_checkpoints({name: {} for name in names})
    assert [numbering.steps[name] for name in names] == steps


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["model_1_20", "model_2_30"], ["1 or 20", "--step-regex", "--steps-from"]),
        (["model_20240501", "model_20240502"], ["no step in the names", "dates"]),
        (["loss0.91", "loss0.47"], ["no step in the names", "decimals"]),
        (["loss1.0", "loss2.0"], ["no step in the names", "decimals"]),
        (["m_1.0", "m_2.0"], ["no step in the names", "decimals"]),
        (["v1", "v2"], ["no step in the names"]),
        (["seed1", "seed2"], ["no step in the names"]),
        (["tokens4B", "tokens8B"], ["no step in the names"]),
        (["model_fp16", "model_fp32"], ["no step in the names"]),
        (["step10", "step10-v1", "step20"], ["step10 and step10-v1 are both step 10"]),
        (["step10", "epoch3"], ["epoch3", "labelled `step`"]),
        (["step99999999999999999999", "step1"], ["--step-regex"]),
        (["a1_b2", "c3"], ["could be 1 or 2"]),
        (["a", "b"], ["no step in the names"]),
        (["lr1e-3", "lr1e-4"], ["no step in the names"]),
        (["step_1_000", "step_2_500", "step_10_000"], ["step_1_000 could be 1 or 1,000", "--step-regex"]),
        (["step 1 000", "step 500"], ["could be 1 or 1,000"]),
        (["model_1_000", "model_2_000"], ["could be 1 or 1,000"]),
        (["epoch1_step10", "epoch2_step5"], ["`step` in the names (5 and 10)", "`epoch` in the names (2 and 1)"]),
    ],
)
def test_what_could_be_two_steps_or_none_is_refused(names: list[str], words: list[str]) -> None:
    with pytest.raises(UsageError) as refusal:
        number_checkpoints({name: {} for name in names})
    assert all(word in str(refusal.value) for word in words), refusal.value


def test_a_step_inside_the_files_comes_before_their_names() -> None:
    inside = {"a_1": {"global_step": 70, "epoch": 1}, "b_2": {"global_step": 80.0, "epoch": 1}}
    numbering = number_checkpoints(inside)
    assert numbering.steps == {"a_1": 70, "b_2": 80}
    assert "global_step" in numbering.rule


def test_a_step_that_begins_anew_in_each_epoch_gives_no_order() -> None:
    inside = {f"m{epoch}": {"epoch": epoch, "step": 400 - 100 * epoch} for epoch in (1, 2, 3)}
    with pytest.raises(UsageError, match=r"`step` inside the files \(100 and 200\).*`epoch` inside the files"):
        number_checkpoints(inside)
    assert number_checkpoints(inside, step_regex=r"m(\d)").steps == {"m1": 1, "m2": 2, "m3": 3}


def test_a_number_below_zero_is_no_step() -> None:
    numbering = number_checkpoints({"step_-1": {}, "step_0": {}, "step-10": {}})
    assert numbering.steps == {"step_0": 0, "step-10": 10}


def test_an_epoch_inside_comes_after_a_labelled_name_and_before_a_bare_number() -> None:
    assert number_checkpoints({"step5": {"epoch": 1}, "step9": {"epoch": 2}}).steps == {"step5": 5, "step9": 9}
    assert number_checkpoints({"m5": {"epoch": 1}, "m9": {"epoch": 2}}).steps == {"m5": 1, "m9": 2}


@pytest.mark.parametrize("inside", [{"global_step": 0}, {"step": True}, {"step": 0.5}, {"step": "7"}, {}])
def test_what_is_no_step_inside_does_not_hide_the_names(inside: dict[str, object]) -> None:
    assert number_checkpoints({"step5": inside, "step9": inside}).steps == {"step5": 5, "step9": 9}


def test_a_copy_of_the_last_checkpoint_is_left_out_and_named() -> None:
    inside = {"last": {"global_step": 20}, "epoch=1-step=20": {"global_step": 20}, "x10": {"global_step": 10}}
    numbering = number_checkpoints(inside)
    assert numbering.steps == {"epoch=1-step=20": 20, "x10": 10}
    assert [(out.name, out.reason) for out in numbering.left_out] == [
        ("last", "of the same step as epoch=1-step=20")
    ]


def test_a_name_without_a_step_is_left_out_and_named() -> None:
    numbering = number_checkpoints({"best": {}, "step1": {}, "step2": {}})
    assert (numbering.steps, [out.name for out in numbering.left_out]) == ({"step1": 1, "step2": 2}, ["best"])


@pytest.mark.parametrize(
    ("name", "inside", "step"),
    [
        ("model", {}, 0), ("resnet50", {}, 0), ("checkpoint-500", {}, 500), ("step10k", {}, 10_000),
        ("model", {"global_step": 7}, 7), ("ckpt", {"iter_num": 9}, 9), ("gpt2-124M", {}, 0),
        ("m", {"epoch": 3}, 3),
    ],
)  # fmt: skip
def test_a_single_model_has_the_step_that_is_known_or_none(
    name: str, inside: dict[str, object], step: int
) -> None:
    numbering = number_checkpoints({name: inside})
    assert numbering.steps == {name: step}
    assert ("no step is known" in numbering.rule) == (step == 0)


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    names: dict[str, dict[str, object]] = {"a1_b2": {"step": 5}, "a3_b4": {"step": 6}, "other": {}}
    by_regex = number_checkpoints(names, step_regex=r"b(\d)")
    assert by_regex.steps == {"a1_b2": 2, "a3_b4": 4}
    assert by_regex.left_out[0].name == "other"
    assert number_checkpoints(names, step_regex=r"a(1)?").steps == {"a1_b2": 1}
    table = tmp_path / "steps.csv"
    table.write_text("name,step\na1_b2,10k\na3_b4.pt,20k\na3_b4,30k\n")
    assert number_checkpoints(names, steps_from=table).steps == {"a1_b2": 10_000, "a3_b4": 30_000}
    assert number_checkpoints(names, steps_from=table).rule == "steps.csv"
    table.write_text("a1_b2,1\nother.pt,2\na1_b3,3\n")
    assert number_checkpoints(names, steps_from=table).rule == "steps.csv, where a1_b3 stands for no checkpoint"
    decimals: dict[str, dict[str, object]] = {"m-val_loss=0.91": {}, "m-val_loss=0.47": {}, "folder/model": {}}
    table.write_text("m-val_loss=0.91.pt,1\nruns/m-val_loss=0.47.ckpt,2\nm-val_loss=0,3\nmodel.pt,4\n")
    assert number_checkpoints(decimals, steps_from=table).steps == dict(zip(decimals, (1, 2, 4), strict=True))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("a(", "no regular expression"), (r"\d", "no group"), (r"z(\d)", "matches none"), (r"(a\d)", "no step")],
)
def test_a_regex_that_gives_no_step_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        number_checkpoints({"a1": {}, "a2": {}}, step_regex=pattern)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a1,x\n", "no step"), ("a1\n", "line 1"), ("b,3\n", "lists none"),
        ("a1,3\na2,4\na1,5\n", "line 3: a1 has step 5 and had 3"),
    ],
)  # fmt: skip
def test_a_table_that_gives_no_step_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "steps.csv").write_text(text)
    with pytest.raises(UsageError, match=words):
        number_checkpoints({"a1": {}, "a2": {}}, steps_from=tmp_path / "steps.csv")
