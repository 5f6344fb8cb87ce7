"""A training loop in which something goes wrong, and what holds however it does.

Every way to go wrong gives at most one warning of its kind, whose sentence is also a note in the file where there
is one; the loop reaches its end, and every checkpoint in the file is whole.
"""

from __future__ import annotations

import re
import resource
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import grokscope
from grokscope.runfile import Run

STEPS, SABOTAGED = 60, 20


class Loop:
    """A real training loop of 60 steps; a way to go wrong changes it at step 20, or its metrics or steps."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.path = folder / "run.h5"
        self.model: Any = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.sabotage: Callable[[], object] = lambda: None
        self.metrics: Callable[[int], dict[str, Any]] = lambda step: {"train_loss": 1 / (step + 1)}
        self.number: Callable[[int], Any] = lambda step: step
        self.recorder: Any = None
        self.reached = -1

    def run(self) -> list[str]:
        """Train to the end; return what the recorder warned of."""
        x, y = torch.randn(32, 8), torch.randn(32, 4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.recorder = grokscope.Recorder(self.path, self.model, checkpoints_per_decade=5)
            with self.recorder:
                for step in range(STEPS):
                    if step == SABOTAGED:
                        self.sabotage()
                    with suppress(RuntimeError):  # a model that was taken apart
                        loss = (self.model(x)[:, :4] - y).square().mean()
                        self.optimizer.zero_grad()
                        loss.backward()
                        self.optimizer.step()
                    self.recorder.step(self.number(step), **self.metrics(step))
                    self.reached = step
        return [str(one.message) for one in caught if "grokscope" in str(one.message)]


GoWrong = Callable[[Loop], object]


class Ways(list[Any]):
    """Ways to go wrong, as parameters of a test: what changes the loop, and what the recorder warns of."""

    def add(self, *says: str) -> Callable[[GoWrong], GoWrong]:
        """Take up a way, with what each of its warnings says, in order."""

        def register(function: GoWrong) -> GoWrong:
            self.append(pytest.param(function, says, id=function.__name__))
            return function

        return register


def from_the_middle(loop: Loop, value: Any) -> None:
    """Give a train_accuracy of some kind from step 20 on, and at each checkpoint before a number."""
    loop.metrics = lambda step: {"train_accuracy": value if step >= SABOTAGED else 0.5}


def assert_the_end_is_reached(loop: Loop, says: tuple[str, ...], noted: bool = True) -> None:
    """Train to the end: so many warnings, each as it should be and in the file, whose checkpoints are whole."""
    folder = loop.path.parent.absolute()
    told = loop.run()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert loop.reached == STEPS - 1
    assert len(told) == len(says), told
    for sentence, pattern in zip(told, says, strict=True):
        assert re.search(pattern, sentence), sentence
    with suppress(grokscope.GrokscopeError):
        run = Run(folder / loop.path.name)
        assert not list(folder.glob(".*.tmp"))
        for index in range(run.num_checkpoints):
            run.verify(index)
        if noted:
            assert run.notes == tuple(sentence.removeprefix("grokscope: ") for sentence in told)
