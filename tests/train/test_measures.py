"""The recorded measures, against PyTorch, scipy and cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, Images
from grokscope_train.engines import make_engine
from grokscope_train.measures import MASKS, OF_EVERY_LAYER, Evaluator, gate_measures, metric_names, num_masks
from grokscope_train.network import Parameters, initial_parameters
from scipy.special import log_softmax, rel_entr, softmax

from tests.train.conftest import changed
from tests.train.plain_pytorch import module_of


def random_images(count: int, seed: int) -> Images:
    """Return random images of 20 pixels, most of them black, with random labels."""
    generator = np.random.default_rng(seed)
    pixels = generator.random((count, 20)) * (generator.random((count, 20)) < 0.3)
    return Images(pixels, generator.integers(0, 10, count))


TRAIN, TEST = random_images(60, 1), random_images(3000, 2)  # the test images need more than one chunk
EXPERIMENT = Experiment(TRAIN, TEST, np.arange(60))
SHORT = TrainConfig(steps=100_000)
NETWORK = initial_parameters((20, 15, 12, 10), 4.0, np.random.default_rng(5))


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "sigmoid"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_accuracies_losses_and_predictions_are_pytorchs(engine: str, activation: str, loss: str) -> None:
    config = changed(SHORT, activation=activation, loss=loss)
    evaluator = Evaluator(make_engine(engine, "float64", "cpu", 2), EXPERIMENT, config)
    evaluation = evaluator.evaluate(NETWORK)
    module = module_of(NETWORK, activation)
    criterion = torch.nn.MSELoss() if loss == "mse" else torch.nn.CrossEntropyLoss()
    for name, part in (("train", TRAIN), ("test", TEST)):
        with torch.no_grad():
            outputs = module(torch.from_numpy(part.pixels))
            expected = criterion(outputs, torch.from_numpy(part.one_hot())).item()
        assert evaluation.metrics[f"{name}_loss"] == pytest.approx(expected, rel=1e-12)
        accuracy = np.mean(outputs.argmax(1).numpy() == part.labels)
        assert evaluation.metrics[f"{name}_accuracy"] == accuracy
    np.testing.assert_array_equal(evaluation.predictions, np.bincount(outputs.argmax(1), minlength=10))


def test_activation_sparsity_counts_neurons_below_the_threshold() -> None:
    weights = [np.array([[1.0], [-1.0], [0.05], [1e-4]]), np.ones((10, 4))]
    network = Parameters(weights, [np.zeros(4), np.zeros(10)])
    images = Images(np.ones((3, 1)), np.zeros(3, dtype=np.int64))
    evaluator = Evaluator(
        make_engine("compiled", "float64", "cpu", 1), Experiment(images, images, np.arange(3)), SHORT
    )
    metrics = evaluator.evaluate(network).metrics  # activations 1, 0, 0.05 and 1e-4
    assert metrics["activation_sparsity_1e-6"] == 0.25
    assert metrics["activation_sparsity_1e-2"] == 0.5
    assert metrics["activation_sparsity_1e-1"] == 0.75


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_activation_sparsity_is_told_by_layer_and_pooled_over_all_neurons(engine: str) -> None:
    evaluator = Evaluator(make_engine(engine, "float64", "cpu", 2), EXPERIMENT, SHORT)
    metrics = evaluator.evaluate(NETWORK).metrics
    assert set(metric_names(3)) <= set(metrics)
    first = np.maximum(TRAIN.pixels @ NETWORK.weights[0].T + NETWORK.biases[0], 0)
    second = np.maximum(first @ NETWORK.weights[1].T + NETWORK.biases[1], 0)
    for name, threshold in (("1e-6", 1e-6), ("1e-2", 1e-2), ("1e-1", 1e-1)):
        shares = [np.mean(first < threshold), np.mean(second < threshold)]
        assert [metrics[f"activation_sparsity_{name}_fc{k}"] for k in (1, 2)] == pytest.approx(shares)
        assert shares[0] != shares[1]
        pooled = (15 * shares[0] + 12 * shares[1]) / 27
        assert metrics[f"activation_sparsity_{name}"] == pytest.approx(pooled)


@pytest.mark.parametrize(("steps", "masks"), [(100_000, 10), (10_000_000, 100)])
def test_a_long_run_has_a_hundred_masks_and_says_how_well_they_know_the_mean(steps: int, masks: int) -> None:
    engine = make_engine("compiled", "float64", "cpu", 1)
    evaluator = Evaluator(engine, EXPERIMENT, TrainConfig(steps=steps))
    metrics = evaluator.evaluate(NETWORK).metrics
    assert num_masks(steps) == masks
    expected = metrics["circuit_complexity_sd"] / np.sqrt(masks)
    assert metrics["circuit_complexity_se"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_circuit_complexity_is_the_summed_divergence_from_masked_networks(engine: str) -> None:
    """One layer: the masked logits follow from the masked weights alone."""
    weight = np.random.default_rng(3).normal(size=(10, 20))
    network = Parameters([weight], [np.zeros(10)])
    evaluator = Evaluator(make_engine(engine, "float64", "cpu", 2), EXPERIMENT, changed(SHORT, seed=4))
    metrics = evaluator.evaluate(network).metrics
    divergences = []
    for mask in range(MASKS):
        kept = np.random.default_rng([4, 3, mask]).random(weight.shape) >= 0.1
        p = softmax(TRAIN.pixels @ weight.T, axis=1)
        q = np.exp(log_softmax(TRAIN.pixels @ (weight * kept).T, axis=1))
        divergences.append(rel_entr(p, q).sum())
    assert metrics["circuit_complexity"] == pytest.approx(np.mean(divergences), rel=1e-9)
    assert metrics["circuit_complexity_sd"] == pytest.approx(np.std(divergences, ddof=1), rel=1e-9)
    assert metrics["circuit_complexity"] > 0


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_an_untouched_network_repeats_its_measures_exactly(engine: str) -> None:
    evaluator = Evaluator(make_engine(engine, "float64", "cpu", 2), EXPERIMENT, SHORT)
    assert evaluator.evaluate(NETWORK).metrics == evaluator.evaluate(NETWORK).metrics


def test_units_lit_dead_units_patterns_and_purity_are_counted_on_the_training_images() -> None:
    """Unit 1 is lit by two images of one class, unit 2 by three of which two agree, unit 3 by none."""
    lit = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    assert gate_measures(lit, np.array([4, 4, 7, 7])) == (5 / 4, 1.0, 3.0, pytest.approx((1 + 2 / 3) / 2))
    assert np.isnan(gate_measures(np.zeros((4, 3), dtype=bool), np.arange(4))[3])


@pytest.mark.parametrize(("activation", "gated"), [("relu", True), ("gelu", True), ("tanh", False)])
def test_gates_of_the_training_images_are_recorded_by_layer(activation: str, gated: bool) -> None:
    engine = make_engine("compiled", "float64", "cpu", 1)
    metrics = Evaluator(engine, EXPERIMENT, changed(SHORT, activation=activation)).evaluate(NETWORK).metrics
    names = {name for name in metric_names(3) if name.startswith(OF_EVERY_LAYER)}
    assert names & set(metrics) == (names if gated else set())
    if gated:
        before = TRAIN.pixels @ NETWORK.weights[0].T + NETWORK.biases[0]
        assert metrics["units_lit_fc1"] == (before > 0).sum(axis=1).mean()
        assert metrics["dead_units_fc1"] == (~(before > 0).any(axis=0)).sum()
