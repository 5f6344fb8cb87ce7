"""What a recorder puts into its file is what there was at that step."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

import grokscope
from grokscope.runfile import Run, log_steps
from tests.train.gone_wrong import Loop
from tests.train.test_recorder_model_changes import a_layer_is_replaced
from tests.train.test_recorder_told_nonsense import an_accuracy_is_in_percent

# most models here are not trained: what a recorder says of that is looked at in test_recorder_model_changes
pytestmark = pytest.mark.filterwarnings(
    "ignore:grokscope. the weights at step .* are those of 2 checkpoints before"
)


def small() -> Any:
    """Two layers of 8 and 4 outputs."""
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 4))


def large() -> Any:
    """A model that is too large to be copied at every step."""
    return torch.nn.Sequential(torch.nn.Linear(1500, 1500), torch.nn.Linear(1500, 4))


def last_weight(run: Run) -> np.ndarray[Any, Any]:
    """The last checkpoint's weight of the last layer."""
    return run.weight(run.num_checkpoints - 1, "1")


@pytest.mark.parametrize("change", ["counted", "data", "replaced"])
def test_a_small_models_last_step_keeps_its_weights(tmp_path: Path, change: str) -> None:
    """A loop that tells a step before its update changes the weights once more before the end."""
    model = small()
    with grokscope.Recorder(tmp_path / "run.h5", model, checkpoints_per_decade=1) as recorder:
        for step in range(6):
            recorder.step(step, train_loss=step)
            kept = model[1].weight.detach().numpy().copy()
            changed(model, change)
    run = Run(tmp_path / "run.h5")
    assert run.steps.tolist() == [0, 1, 5]
    np.testing.assert_array_equal(last_weight(run), kept)
    assert run.metrics()["train_loss"].tolist() == [0, 1, 5]


def changed(model: Any, how: str) -> None:
    """Change the last layer in a way that torch counts, in one that it does not, or put another in its place."""
    if how == "counted":
        with torch.no_grad():
            model[1].weight += 1
    elif how == "data":
        model[1].weight.data += 1
    else:
        model[1] = torch.nn.Linear(8, 4)


@pytest.mark.filterwarnings("ignore:grokscope. new layers")
def test_weights_that_were_tied_once_keep_each_their_own(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    model[1].weight = model[0].weight
    with grokscope.Recorder(tmp_path / "run.h5", model, checkpoints_per_decade=1) as recorder:
        for step in range(6):
            recorder.step(step)
            if step == 3:
                model[1].weight = torch.nn.Parameter(model[0].weight + 1)
        first = model[0].weight.detach().numpy().copy()
        changed(model, "counted")
    run = Run(tmp_path / "run.h5")
    assert run.steps.tolist() == [0, 1, 5]
    np.testing.assert_array_equal(run.weight(2, "0"), first)


def test_a_large_models_last_step_is_a_checkpoint_where_nothing_changed_since(tmp_path: Path) -> None:
    for update_first in (True, False):
        model, path = large(), tmp_path / f"{update_first}.h5"
        recorder = grokscope.Recorder(path, model, checkpoints_per_decade=1, steps=9)
        for step in range(6):
            if update_first:
                changed(model, "counted")
            recorder.step(step)
            if not update_first:
                changed(model, "counted")
        if update_first:
            recorder.close()
            np.testing.assert_array_equal(last_weight(Run(path)), model[1].weight.detach().numpy())
        else:
            with pytest.warns(RuntimeWarning, match="the weights have changed since step 5"):
                recorder.close()
        assert Run(path).steps.tolist() == [0, 1, 5] if update_first else [0, 1]


def test_metrics_of_the_last_step_are_of_then(tmp_path: Path) -> None:
    """A tensor that the loop resets, and a function that would see other weights."""
    model, hits = small(), torch.zeros(1)
    with grokscope.Recorder(tmp_path / "run.h5", model, checkpoints_per_decade=1) as recorder:
        for step in range(6):
            hits += 0.1
            recorder.step(step, train_accuracy=hits, test_accuracy=lambda: float(model[1].weight.sum() < 1e9))
        hits.zero_()
        changed(model, "counted")
    metrics = Run(tmp_path / "run.h5").metrics()
    np.testing.assert_allclose(metrics["train_accuracy"], [0.1, 0.2, 0.6], rtol=1e-6)
    np.testing.assert_array_equal(metrics["test_accuracy"], [1, 1, np.nan])


def test_a_replaced_layer_is_the_one_recorded(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    a_layer_is_replaced(loop)
    loop.run()
    run = Run(loop.path)
    np.testing.assert_array_equal(run.weight(run.num_checkpoints - 1, "2"), loop.model[2].weight.detach().numpy())


def test_a_pruned_layers_weight_in_use_is_recorded(tmp_path: Path) -> None:
    model = small()
    with grokscope.Recorder(tmp_path / "run.h5", model) as recorder:
        recorder.step(0)
        prune.random_unstructured(model[0], "weight", amount=0.5)
        recorder.step(1)
    recorded = Run(tmp_path / "run.h5").weight(1, "0")
    np.testing.assert_array_equal(recorded, model[0].weight.detach().numpy())
    assert (recorded == 0).sum() == 24


def test_percentages_become_fractions(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    an_accuracy_is_in_percent(loop)
    loop.run()
    run = Run(loop.path)
    np.testing.assert_allclose(run.metrics()["train_accuracy"], np.where(run.steps < 20, 0.5, 0.975))


def test_a_fork_that_leaves_the_block_costs_nothing(tmp_path: Path) -> None:
    """27 acknowledged checkpoints were lost so."""
    with grokscope.Recorder(tmp_path / "run.h5", small()) as recorder:
        for step in range(200):
            recorder.step(step)
            if step == 50:
                child = os.fork()
                if child == 0:
                    recorder.close()
                    os._exit(0)
                os.waitpid(child, 0)
                assert Run(tmp_path / "run.h5").liveness().state == "running"
                assert (tmp_path / "run.h5.lock").exists()
    assert Run(tmp_path / "run.h5").steps.tolist() == log_steps(199, 20).tolist()


class TheUsersOwnError(Exception):
    """What the loop raises."""


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("error", [TheUsersOwnError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["loop", "metric"])
def test_the_users_own_exception_comes_through(tmp_path: Path, error: type[BaseException], where: str) -> None:
    """Also where closing the file fails; but an error in a metric's function is no reason to stop."""
    recorder = grokscope.Recorder(tmp_path / "run.h5", small())

    def fail() -> float:
        raise error

    def train() -> None:
        with recorder:
            recorder.step(0)
            recorder.path.unlink()
            if where == "loop":
                fail()
            recorder.step(1, train_loss=fail)

    if where == "metric" and error is TheUsersOwnError:
        train()
    else:
        with pytest.raises(error):
            train()


@pytest.mark.parametrize(("width", "most"), [(10, 100_000), (1600, 64 << 20)])
def test_space_is_taken_in_proportion(tmp_path: Path, width: int, most: int) -> None:
    """A model of 10 MB reserved 0.8 GB, whose run may end after three steps."""
    model = torch.nn.Linear(width, width)
    with grokscope.Recorder(tmp_path / "run.h5", model, checkpoints_per_decade=3) as recorder:
        recorder.step(0)
        assert (tmp_path / "run.h5").stat().st_size <= most
        for step in range(1, 50):
            with torch.no_grad():
                model.weight += 1
            recorder.step(step)
            needed = Run(tmp_path / "run.h5").num_checkpoints * width * (width + 1) * 4
            assert (tmp_path / "run.h5").stat().st_size <= max(most, 2.1 * needed)
    run = Run(tmp_path / "run.h5")
    assert run.steps.tolist() == log_steps(49, 3).tolist()
    assert (tmp_path / "run.h5").stat().st_size <= run.num_checkpoints * width * (width + 1) * 4 + 40_000
    for index in range(run.num_checkpoints):
        run.verify(index)


def test_a_resumed_run_says_what_it_skips(tmp_path: Path) -> None:
    model = small()
    for first, last in ((0, 100), (40, 200)):
        with grokscope.Recorder(tmp_path / "run.h5", model, resume=first > 0) as recorder:
            if first:
                with pytest.warns(RuntimeWarning, match="up to step 99 already; training goes on at step 40"):
                    recorder.step(first)
            for step in range(first, last):
                recorder.step(step)
    run = Run(tmp_path / "run.h5")
    assert run.steps.tolist() == sorted({*log_steps(199, 20).tolist(), 99})
    assert "holds checkpoints up to step 99 already" in " ".join(run.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"store_dtype": "int8"}, "store_dtype is 'int8'"),
        ({"store_dtype": "double trouble"}, "store_dtype"),
        ({"checkpoints_per_decade": 0}, "checkpoints per decade"),
        ({"steps": -1}, "number of steps"),
        ({"config": {"text": "x" * 70_000}}, "configuration has"),
        ({"config": {1: 2, "a": 3}}, "cannot be written as JSON"),
    ],
)
def test_what_can_be_known_before_training_is_refused_then(tmp_path: Path, options: Any, says: str) -> None:
    with pytest.raises(grokscope.GrokscopeError, match=says):
        grokscope.Recorder(tmp_path / "run.h5", small(), **options)
    assert list(tmp_path.iterdir()) == []


def test_a_warning_names_the_line_of_the_loop(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import torch, grokscope
        with grokscope.Recorder("run.h5", torch.nn.Linear(5, 5)) as recorder:
            recorder.step("first")  # line 4
    """)
    (tmp_path / "loop.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "loop.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert "loop.py:4: RuntimeWarning: grokscope: 'first' is no step" in done.stderr
