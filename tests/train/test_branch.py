"""Branches: unchanged they are their parents, changed they do what was asked, killed they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grokscope_train.branch import Edits, start_branch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.loop import train
from grokscope_train.run import start
from grokscope_train.signals import StopRequest

from grokscope.errors import UsageError
from grokscope.experiments import experiments
from grokscope.figures import Curve, VLine
from grokscope.report import report_text, run_report
from grokscope.report.pictures import Source, figures_of
from grokscope.runfile import Run, RunWriter
from tests.train.conftest import changed
from tests.train.forked import Trainer, assert_same_run

AT = 100


class Silent:
    """A display that shows nothing."""

    def tick(self, step: int, steps_per_second: float) -> None:
        """Show nothing."""

    def checkpoint(self, step: int, metrics: dict[str, float]) -> None:
        """Show nothing."""

    def diverged(self, path: Path, step: int) -> None:
        """Fail: no training here should."""
        raise AssertionError(f"{path} diverged at step {step}")


def finished(path: Path, config: TrainConfig) -> Run:
    """Train a run to its end."""
    training, writer = start(path, config, None, overwrite=True)
    return _trained(path, training, writer)


def branched(parent: Run, path: Path, edits: Edits | None = None, at: int = AT, **given: Any) -> Run:
    """Train a branch to its end, with the given options changed."""
    options = {name: given.pop(name) for name in ("fresh_moments", "tell") if name in given}
    training, writer = start_branch(parent.path, at, path, given, edits or Edits(), **options)
    return _trained(path, training, writer)


def _trained(path: Path, training: Any, writer: RunWriter) -> Run:
    with writer, StopRequest() as stop:
        train(training, [writer], stop, Silent())
    return Run.open(path)


def weights(run: Run, step: int) -> list[np.ndarray[Any, Any]]:
    """Return every layer's weight at a step."""
    [index] = np.flatnonzero(run.steps == step)
    return [run.weight(int(index), layer.name) for layer in run.layers]


@pytest.fixture
def config(small_config: TrainConfig) -> TrainConfig:
    """A short training that keeps its states and every bit of its weights."""
    return changed(small_config, steps=200, checkpoints_per_decade=10, keep_states="10,100", store_dtype="float64")


@pytest.fixture
def parent(tmp_path: Path, config: TrainConfig) -> Run:
    """A finished run to branch from."""
    return finished(tmp_path / "parent.h5", config)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize(
    ("optimizer", "weight_decay"), [("adamw", 0.0), ("adamw", 0.1), ("adam", 0.1), ("sgd", 0.1)]
)
def test_an_unchanged_branch_is_its_parent_bit_by_bit(
    tmp_path: Path, config: TrainConfig, engine: str, optimizer: str, weight_decay: float
) -> None:
    config = changed(config, engine=engine, optimizer=optimizer, weight_decay=weight_decay)
    parent = finished(tmp_path / "parent.h5", config)
    branch = branched(parent, tmp_path / "branch.h5")
    grandchild = branched(branch, tmp_path / "grandchild.h5", at=int(branch.steps[-1]), steps=250)
    longer = finished(tmp_path / "longer.h5", changed(config, steps=250))
    assert list(branch.steps) == [step for step in parent.steps if step >= AT]
    for step in branch.steps:
        for ours, theirs in zip(weights(branch, step), weights(parent, step), strict=True):
            assert ours.tobytes() == theirs.tobytes()
    for ours, theirs in zip(weights(grandchild, 250), weights(longer, 250), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    last = {name: values[-1] for name, values in branch.metrics().items()}
    assert last == pytest.approx(
        {name: values[-1] for name, values in parent.metrics().items()}, rel=0, nan_ok=True
    )
    assert branch.config["branch"]["parent"] == parent.uuid
    assert branch.config["branch"]["state"] == "kept"


def test_without_a_kept_state_it_begins_from_the_stored_weights_and_says_so(tmp_path: Path, parent: Run) -> None:
    said: list[str] = []
    branch = branched(parent, tmp_path / "branch.h5", at=60, tell=said.append)
    assert branch.steps[0] == 50
    assert said[0] == "parent.h5 has nothing at step 60; the branch leaves it at step 50"
    assert "keeps no training state of step 50" in said[1]
    assert "fresh moments" in said[1]
    for ours, theirs in zip(weights(branch, 50), weights(parent, 50), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_branch_does_not_take_its_parents_place(tmp_path: Path, parent: Run) -> None:
    (tmp_path / "link.h5").symlink_to(parent.path)
    before = parent.path.read_bytes()
    for output in (parent.path, tmp_path / "link.h5"):
        with pytest.raises(UsageError, match="is the parent itself; name another file"):
            start_branch(parent.path, AT, output, {"lr": 1e-3}, Edits(), overwrite=True)
    assert parent.path.read_bytes() == before


def test_a_parent_of_the_former_engine_is_said_to_give_other_last_bits(tmp_path: Path, parent: Run) -> None:
    with RunWriter.reopen(parent.path) as writer:
        writer.extend(writer.steps, {**writer.config, "engine": "numpy"}, 2)
    said: list[str] = []
    branched(Run.open(parent.path), tmp_path / "branch.h5", steps=AT + 1, tell=said.append)
    assert "parent.h5 was trained with --engine numpy, which is no more" in said[0]
    assert "--engine compiled, which gives other last bits" in said[0]


def test_with_fresh_moments_the_first_step_has_the_size_of_the_learning_rate(tmp_path: Path, parent: Run) -> None:
    """Adam's first step is lr · g/(|g| + eps)."""
    options: dict[str, Any] = {"steps": AT + 1, "lr": 1e-3}
    fresh = branched(parent, tmp_path / "fresh.h5", fresh_moments=True, **options)
    moves = [after - before for before, after in zip(weights(fresh, AT), weights(fresh, AT + 1), strict=True)]
    assert max(np.abs(move).max() for move in moves) == pytest.approx(1e-3, rel=1e-3)
    kept = branched(parent, tmp_path / "kept.h5", **options)
    assert not np.array_equal(weights(kept, AT + 1)[0], weights(fresh, AT + 1)[0])


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_frozen_layer_rests_and_the_others_move(tmp_path: Path, config: TrainConfig, engine: str) -> None:
    parent = finished(tmp_path / "parent.h5", changed(config, engine=engine, weight_decay=0.1))
    branch = branched(parent, tmp_path / "branch.h5", freeze="fc1,fc3")
    before, after = weights(branch, AT), weights(branch, 200)
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert moved == [False, True, False]


def test_what_is_changed_acts_as_the_optimizer_defines_it(tmp_path: Path, parent: Run) -> None:
    still = branched(parent, tmp_path / "still.h5", lr=0.0)
    np.testing.assert_array_equal(weights(still, 200)[0], weights(parent, AT)[0])
    shrunk = branched(parent, tmp_path / "shrunk.h5", lr=1e-3, weight_decay=1.0, eps=1e12)
    np.testing.assert_allclose(weights(shrunk, 200)[0], weights(parent, AT)[0] * (1 - 1e-3) ** 100, rtol=1e-9)
    descent = branched(parent, tmp_path / "sgd.h5", optimizer="sgd", lr=1e-2)
    assert descent.metrics()["train_loss"][-1] < descent.metrics()["train_loss"][0]
    other = branched(parent, tmp_path / "beta2.h5", beta2=0.9)
    assert not np.array_equal(weights(other, 200)[0], weights(parent, 200)[0])


def test_opened_gates_light_three_tenths_of_the_images(tmp_path: Path, parent: Run, digits: Experiment) -> None:
    branch = branched(parent, tmp_path / "open.h5", Edits(open_gates=True))
    lit = digits.train.pixels @ branch.weight(0, "fc1").T + branch.bias(0, "fc1") > 0
    np.testing.assert_allclose(lit.mean(axis=0), 0.3, atol=0.011)
    np.testing.assert_array_equal(branch.weight(0, "fc1"), weights(parent, AT)[0])
    assert branch.config["branch"]["edits"] == ["gates of fc1 opened"]


def test_clipped_means_are_zero(tmp_path: Path, parent: Run) -> None:
    branch = branched(parent, tmp_path / "centred.h5", Edits(clip_mean=True))
    assert max(abs(weight.mean()) for weight in weights(branch, AT)) < 1e-15


def test_a_trap_is_taken_out_of_the_layers_that_have_it(tmp_path: Path, config: TrainConfig) -> None:
    from grokscope.spectra import analyze_layer

    config = changed(config, width=64, keep_states="", steps=20, engine="torch")  # whose matrices are views
    path = tmp_path / "trapped.h5"
    training, writer = start(path, config, None, overwrite=True)
    flat = training._trained.flat
    training._trained.layout.matrices(flat)[1][3, 5] = 200.0  # one large entry in fc2
    parent = _trained(path, training, writer)
    branch = branched(parent, tmp_path / "branch.h5", Edits(without_trap=1), at=0)
    assert branch.config["branch"]["edits"] == ["trap 1 taken out of fc2"]
    assert abs(weights(branch, 0)[1][3, 5]) < 1 < abs(weights(parent, 0)[1][3, 5])
    assert analyze_layer(weights(branch, 0)[1], "fc2", step=0).num_traps == 0
    with pytest.raises(UsageError, match="no layer has 9 or more traps at step 0"):
        branched(parent, tmp_path / "none.h5", Edits(without_trap=9), at=0)


def test_a_killed_branch_goes_on_to_the_same_bytes(tmp_path: Path, parent: Run) -> None:
    whole = branched(parent, tmp_path / "whole.h5", beta2=0.99, steps=3000)
    path = tmp_path / "killed.h5"
    training, writer = start_branch(parent.path, AT, path, {"beta2": 0.99, "steps": 3000}, Edits())
    writer.close()  # as a kill right after its creation leaves it
    trainer = Trainer(path, training.config)
    assert trainer.wait_for_checkpoint() >= AT
    trainer.kill_after(0.05)
    assert Trainer(path, training.config).wait() == 0
    assert_same_run(Run.open(path), whole)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": AT}, "--steps is 100, and the branch begins at 100; give more"),
        ({"freeze": "fc9"}, "--freeze names 'fc9'; the layers are fc1 to fc3"),
        ({"beta2": 1.0}, "--beta2 is 1.0"),
        ({"keep_states": "soon"}, "--keep-states is 'soon'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_no_file(
    tmp_path: Path, parent: Run, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as error:
        branched(parent, tmp_path / "branch.h5", **given)
    assert words in str(error.value)
    assert not (tmp_path / "branch.h5").exists()


def known(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve; between checkpoints that lie far apart it has a gap."""
    there = np.isfinite(curve.y)
    return curve.x[there], curve.y[there]


def test_a_branch_is_drawn_on_its_parents_timeline(tmp_path: Path, small_config: TrainConfig) -> None:
    parent = finished(tmp_path / "parent.h5", small_config)
    child = branched(parent, tmp_path / "child.h5", eps=1e-4)
    alone = branched(parent, tmp_path / "elsewhere.h5", eps=1e-4)
    (tmp_path / "far").mkdir()
    alone = Run.open(alone.path.rename(tmp_path / "far" / "elsewhere.h5"))

    [figure] = figures_of("accuracy", [Source.of(child)])
    behind = {mark.label: mark for mark in figure.of(Curve) if mark.label.startswith("parent")}
    [at] = figure.of(VLine)
    assert at.at == AT
    assert figure.x.low < AT
    np.testing.assert_array_equal(known(behind["parent test"])[1], parent.metrics()["test_accuracy"])
    [own] = [mark for mark in figure.of(Curve) if mark.label == "test"]
    np.testing.assert_array_equal(known(own)[0], child.steps)

    [unknown_parent] = figures_of("accuracy", [Source.of(alone)])
    assert not unknown_parent.of(VLine)


def test_reports_say_whose_child_a_run_is_and_average_branches_of_seeds(
    tmp_path: Path, small_config: TrainConfig
) -> None:
    sources = []
    for seed, at in ((0, AT), (1, 60)):
        parent = finished(tmp_path / f"parent{seed}.h5", changed(small_config, seed=seed))
        opened = branched(parent, tmp_path / f"opened{seed}.h5", Edits(open_gates=True), at=at)
        plain = branched(parent, tmp_path / f"plain{seed}.h5", at=at)
        sources += [Source.of(opened), Source.of(plain)]
    assert [[one.run.name for one in group] for group in experiments(sources)] == [
        ["opened0.h5", "opened1.h5"],
        ["plain0.h5", "plain1.h5"],
    ]
    report = run_report(sources[0].run, sources[0].spectra)
    assert report.branch == (
        f"branch of parent0.h5 at step {AT}, from its weights, with fresh moments; gates of fc1 opened"
    )
    assert report.branch in report_text([report])
