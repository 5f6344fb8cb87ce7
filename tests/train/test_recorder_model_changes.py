"""A model that is taken apart, goes elsewhere or loses its values stops no training loop."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch.nn.utils import prune

from tests.train.gone_wrong import GoWrong, Loop, Ways, assert_the_end_is_reached

WAYS = Ways()


@WAYS.add()
def a_layer_is_replaced(loop: Loop) -> None:
    def replace() -> None:
        loop.model[2] = torch.nn.Linear(16, 4)
        loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.1)

    loop.sabotage = replace


@WAYS.add(r"layer 2 has shape \(5, 16\) instead of \(4, 16\) at step 25")
def a_layer_is_resized(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.__setitem__(2, torch.nn.Linear(16, 5))


@WAYS.add("layer 2 is gone at step 25")
def a_layer_is_removed(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.__delitem__(2)


@WAYS.add("holds no float tensor")
def all_layers_are_removed(loop: Loop) -> None:
    def remove() -> None:
        del loop.model[2], loop.model[0]

    loop.sabotage = remove


@WAYS.add("new layers at step 25, .*: 3")
def a_layer_is_added(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.append(torch.nn.Linear(4, 4))


@WAYS.add()
def a_layer_is_pruned(loop: Loop) -> None:
    loop.sabotage = lambda: prune.l1_unstructured(loop.model[0], "weight", amount=0.5)


@WAYS.add()
def a_layer_is_normalised(loop: Loop) -> None:
    loop.sabotage = lambda: torch.nn.utils.parametrizations.weight_norm(loop.model[0])


@WAYS.add("the weights at step 59 are those of 2 checkpoints before")
def the_weights_become_nan(loop: Loop) -> None:
    loop.sabotage = lambda: torch.nn.init.constant_(loop.model[0].weight, math.nan)


@WAYS.add("parts of the model have no values at step 25")
def the_model_goes_to_the_meta_device(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.to("meta")


@WAYS.add("the weights at step 59 are those of 2 checkpoints before")
def the_model_becomes_half_precision(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.bfloat16()


@WAYS.add("parts of the model have no values at step 0 ")
def the_model_is_lazy(loop: Loop) -> None:
    loop.model = torch.nn.Sequential(torch.nn.LazyLinear(16), torch.nn.Tanh(), torch.nn.LazyLinear(4))
    loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.1)
    forward = loop.model.forward

    def late(x: torch.Tensor) -> torch.Tensor:  # the first steps are told before anything has run
        if loop.reached < 5:
            raise RuntimeError
        return forward(x)  # type: ignore[no-any-return]

    loop.model.forward = late


@WAYS.add("ValueError: of the user's own")
def the_state_dict_fails(loop: Loop) -> None:
    def fail(*_: object) -> None:
        raise ValueError("of the user's own")

    loop.sabotage = lambda: loop.model.register_state_dict_pre_hook(fail)


@WAYS.add("the weights at step 2 are those of 2 checkpoints before")
def another_model_is_trained(loop: Loop) -> None:
    loop.optimizer = torch.optim.SGD(copy.deepcopy(loop.model).parameters(), lr=0.1)


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize(("go_wrong", "says"), WAYS)
def test_training_reaches_its_end(tmp_path: Path, go_wrong: GoWrong, says: tuple[str, ...]) -> None:
    loop = Loop(tmp_path)
    go_wrong(loop)
    assert_the_end_is_reached(loop, says)
