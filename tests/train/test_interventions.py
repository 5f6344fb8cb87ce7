"""Accuracy with one thing changed: readouts against scikit-learn, and the command on a real run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from grokscope_train.activations import activations
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment
from grokscope_train.interventions import as_it_is, interventions, mean_of, with_fresh_heads
from grokscope_train.network import Parameters, initial_parameters
from grokscope_train.readout import fit_readout
from typer.testing import Result

Command = Callable[..., Result]


def test_a_readout_is_ridge_regression_and_leaves_out_one_after_the_other() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 30)
    features = rng.normal(size=(30, 8)) + labels[:, None] * rng.normal(size=8) + 5
    found = fit_readout(features, labels)
    targets = np.eye(3)[labels]
    whole = linear_model.Ridge(alpha=found.penalty).fit(features, targets)
    assert found.weight == pytest.approx(whole.coef_, rel=1e-9)
    assert found.bias == pytest.approx(whole.intercept_, rel=1e-9)

    def left_out(penalty: float) -> tuple[float, float]:
        """Refit thirty times, each time without one image: squared error and accuracy."""
        predicted = []
        for i in range(30):
            others = np.arange(30) != i
            fit = linear_model.Ridge(alpha=penalty).fit(features[others], targets[others])
            predicted.append(fit.predict(features[i : i + 1])[0])
        error = float(np.mean((targets - np.array(predicted)) ** 2))
        return error, float(np.mean(np.argmax(predicted, axis=1) == labels))

    error, accuracy = left_out(found.penalty)
    assert accuracy == found.left_out_accuracy
    assert error < min(left_out(found.penalty * factor)[0] for factor in (0.3, 3.0))


def test_features_that_tell_nothing_are_read_at_chance() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(10), 30)
    assert fit_readout(rng.normal(size=(300, 400)), labels).left_out_accuracy < 0.2
    assert fit_readout(np.ones((300, 4)), labels).left_out_accuracy <= 0.1


def test_every_intervention_has_a_row_and_the_last_is_the_control(
    small_config: TrainConfig, digits: Experiment
) -> None:
    first, last = (initial_parameters((64, 12, 12, 10), scale, np.random.default_rng(1)) for scale in (2.0, 3.0))
    found = interventions([first, last], first, digits, small_config, open_gates=True, refit=True, average=2)
    names = [outcome.intervention for outcome in found]
    per_network = ["readout refitted on fc1", "readout refitted on fc2", "fresh heads on fc1"]
    assert names[:3] == ["as it is", "gates opened", "average of the last 2"]
    assert names[3:6] == per_network
    assert names[6:9] == [f"gates opened, {name}" for name in per_network]
    assert names[-2:] == ["control: readout of the initial fc1", "control: fresh heads on the initial fc1"]
    rows = dict(zip(names, found, strict=True))
    assert all(("readout" in name) == (row.left_out_accuracy is not None) for name, row in rows.items())
    assert rows["as it is"].train_accuracy < 0.3  # nothing is trained
    assert min(rows[name].train_accuracy for name in per_network) > 0.5
    assert rows["as it is"].train_accuracy != rows["gates opened"].train_accuracy


def test_heads_are_trained_by_an_engine_that_is_installed(
    small_config: TrainConfig, digits: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numba" else there(name))
    monkeypatch.setitem(sys.modules, "grokscope_train.compiled", None)
    network = initial_parameters((64, 12, 12, 10), 2.0, np.random.default_rng(1))
    assert with_fresh_heads("heads", network, digits, small_config).train_accuracy > 0.5


def test_an_average_is_of_the_last_ones(small_config: TrainConfig, digits: Experiment) -> None:
    networks = [initial_parameters((64, 12, 12, 10), 2.0, np.random.default_rng(seed)) for seed in range(3)]
    found = interventions(networks, networks[0], digits, small_config, average=2)
    mean = as_it_is(found[1].intervention, mean_of(networks[1:]), digits, "relu")
    assert found[1] == mean
    assert found[0] == as_it_is("as it is", networks[2], digits, "relu")
    assert found[0].test_accuracy != mean.test_accuracy


def test_the_control_is_of_the_first_checkpoints_first_layer(
    small_config: TrainConfig, digits: Experiment
) -> None:
    first = initial_parameters((64, 12, 12, 10), 2.0, np.random.default_rng(1))
    silent = Parameters([np.zeros_like(weight) for weight in first.weights], first.biases)
    rows = interventions([silent], first, digits, small_config, first_step=2000, refit=True)
    assert rows[-2].intervention == "control: readout of fc1 at step 2,000"
    assert rows[1].train_accuracy == pytest.approx(0.1)  # the silent network's own readout
    assert rows[-2].train_accuracy > 0.5


def test_the_mean_of_networks_is_the_mean_of_their_parameters() -> None:
    first, last = (initial_parameters((4, 3, 2), scale, np.random.default_rng(1)) for scale in (1.0, 3.0))
    mean = mean_of([first, last])
    assert mean.weights[0] == pytest.approx(2 * first.weights[0])
    assert mean.biases[1] == pytest.approx(2 * first.biases[1])


def test_activations_are_those_of_a_network_of_relus() -> None:
    network = Parameters([np.array([[1.0, -1.0], [-1.0, 0.0]]), np.array([[2.0, 3.0]])], [np.zeros(2), np.ones(1)])
    (hidden, outputs), _ = activations(np, network.layers, np.array([[3.0, 1.0]]), "relu")
    assert hidden.tolist() == [[2.0, 0.0]]
    assert outputs.tolist() == [[5.0]]


def test_show_prints_interventions_in_one_table(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    options = ("--open-gates", "--refit", "--average", 3)
    described = json.loads(grokscope_here("show", path, *options, "--json").stdout)
    rows = {row["intervention"]: row for row in described["interventions"]}
    assert len(rows) == 3 + 3 * 3 + 2
    for name in ("train_accuracy", "test_accuracy"):
        assert rows["as it is"][name] == pytest.approx(described["metrics"][name], abs=0.004)  # stored in float32
    assert "without_trap" not in described
    text = grokscope_here("show", path, "--open-gates").stdout
    assert f"as it is      {rows['as it is']['train_accuracy']:.4f}" in text
    assert f"gates opened  {rows['gates opened']['train_accuracy']:.4f}" in text


def test_too_few_checkpoints_to_average_are_refused(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    result = grokscope_here("show", path, "--step", 0, "--average", 2)
    assert result.exit_code == 2
    assert "--average 2 needs as many checkpoints; there are 1" in result.stderr
