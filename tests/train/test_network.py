"""Initialisation, the flat buffer, and the columns that are left out of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from grokscope_train.network import FlatLayout, black_pixels, initial_parameters, pack, unpack

PAPER = (784, 200, 200, 10)


def weight_norm(seed: int) -> float:
    """‖W‖₂ over all weights of the paper's initialisation."""
    weights = initial_parameters(PAPER, 8.0, np.random.default_rng([seed, 0])).weights
    return float(np.sqrt(sum(np.sum(weight**2) for weight in weights)))


@pytest.mark.parametrize("seed", range(5))
def test_initial_weight_norm_is_the_papers(seed: int) -> None:
    assert weight_norm(seed) == pytest.approx(np.sqrt(8747), abs=0.45)


def test_initial_absolute_entropy_is_the_papers() -> None:
    weights = initial_parameters(PAPER, 8.0, np.random.default_rng([0, 0])).weights
    entropies = [-np.sum(np.abs(w) * np.log(np.abs(w))) for w in weights]
    assert entropies == pytest.approx([39_300, 12_060, 608], rel=0.02)


def test_initialisation_has_the_range_of_pytorchs_linear_layer() -> None:
    theirs = torch.nn.Linear(784, 2000)
    ours = initial_parameters((784, 2000), 1.0, np.random.default_rng(0))
    assert np.abs(ours.weights[0]).max() == pytest.approx(theirs.weight.abs().max().item(), rel=1e-3)
    assert ours.weights[0].std() == pytest.approx(theirs.weight.std().item(), rel=1e-2)
    assert np.abs(ours.biases[0]).max() == pytest.approx(theirs.bias.abs().max().item(), rel=1e-2)


def test_packing_and_unpacking_give_the_parameters_back() -> None:
    generator = np.random.default_rng(3)
    parameters = initial_parameters((9, 4, 3), 1.0, generator)
    black = generator.random(9) < 0.4
    layout = FlatLayout((int((~black).sum()), 4, 3))
    flat = pack(parameters, black)
    assert len(flat) == layout.length
    again = unpack(flat, layout, black, parameters.weights[0][:, black])
    for ours, theirs in zip(
        [*again.weights, *again.biases], [*parameters.weights, *parameters.biases], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_only_adams_weight_decay_needs_black_pixels() -> None:
    pixels = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.5]])
    assert black_pixels(pixels, "adamw", 0.01).tolist() == [True, False, False]
    assert black_pixels(pixels, "sgd", 0.01).tolist() == [True, False, False]
    assert black_pixels(pixels, "adam", 0.0).tolist() == [True, False, False]
    assert not black_pixels(pixels, "adam", 0.01).any()
