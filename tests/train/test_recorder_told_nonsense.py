"""Metrics that are no numbers and steps that are no steps stop no training loop."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.train.gone_wrong import SABOTAGED, GoWrong, Loop, Ways, assert_the_end_is_reached, from_the_middle

WAYS = Ways()


@WAYS.add("train_accuracy is no number at step 25 .*None")
def a_metric_is_none(loop: Loop) -> None:
    from_the_middle(loop, None)


@WAYS.add("train_accuracy is no number")
def a_metric_is_text(loop: Loop) -> None:
    from_the_middle(loop, "0.5")


@WAYS.add("train_accuracy is no number")
def a_metric_is_a_vector(loop: Loop) -> None:
    from_the_middle(loop, torch.ones(3))


@WAYS.add("train_accuracy is no number .*ZeroDivisionError")
def a_metric_function_fails(loop: Loop) -> None:
    from_the_middle(loop, lambda: 1 / 0)


@WAYS.add("train_accuracy is no number .*MemoryError")
def a_metric_function_runs_out_of_memory(loop: Loop) -> None:
    def evaluate() -> float:
        raise MemoryError

    from_the_middle(loop, evaluate)


@WAYS.add("train_accuracy is no number")
def a_metric_is_complex(loop: Loop) -> None:
    from_the_middle(loop, 1j)


@WAYS.add("train_accuracy is no number")
def a_metric_is_a_dictionary(loop: Loop) -> None:
    from_the_middle(loop, {"value": 1})


@WAYS.add()
def a_metric_is_nan(loop: Loop) -> None:
    from_the_middle(loop, math.nan)


@WAYS.add("train_accuracy is 97.5 at step 25 and taken for percent")
def an_accuracy_is_in_percent(loop: Loop) -> None:
    from_the_middle(loop, 97.5)


@WAYS.add("train_accuracy is outside 0 to 1")
def an_accuracy_is_negative(loop: Loop) -> None:
    from_the_middle(loop, -0.3)


@WAYS.add()
def a_metric_comes_late(loop: Loop) -> None:
    loop.metrics = lambda step: {"late": 1} if step >= SABOTAGED else {}


@WAYS.add()
def metrics_have_names_that_a_file_cannot_hold(loop: Loop) -> None:
    loop.metrics = lambda step: {"train/loss": 1, "..": 2, "a\nb": 3, "step": 4, "self": 5}


@WAYS.add("None is no step")
def the_step_is_none(loop: Loop) -> None:
    loop.number = lambda step: None if step == SABOTAGED else step


@WAYS.add("'20' is no step")
def the_step_is_text(loop: Loop) -> None:
    loop.number = lambda step: "20" if step == SABOTAGED else step


@WAYS.add("20.5 is no step")
def the_step_is_no_whole_number(loop: Loop) -> None:
    loop.number = lambda step: step + 0.5 if step == SABOTAGED else float(step)


@WAYS.add("-20 is no step")
def the_step_is_negative(loop: Loop) -> None:
    loop.number = lambda step: -step if step == SABOTAGED else step


@WAYS.add("is no step")
def the_step_is_too_large_for_a_file(loop: Loop) -> None:
    loop.number = lambda step: 2**70 if step == SABOTAGED else step


@WAYS.add()
def the_step_is_a_tensor(loop: Loop) -> None:
    loop.number = lambda step: torch.tensor(step)


@WAYS.add("the step went back from 19 to 0")
def the_step_starts_anew_each_epoch(loop: Loop) -> None:
    loop.number = lambda step: step % 20


@WAYS.add()
def the_step_repeats(loop: Loop) -> None:
    loop.number = lambda step: step // 4


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize(("go_wrong", "says"), WAYS)
def test_training_reaches_its_end(tmp_path: Path, go_wrong: GoWrong, says: tuple[str, ...]) -> None:
    loop = Loop(tmp_path)
    go_wrong(loop)
    assert_the_end_is_reached(loop, says)
