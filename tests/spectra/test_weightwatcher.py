"""WeightWatcher's measures, against the real library's analyze() on the checkpoints of the reference run."""

from __future__ import annotations

import contextlib
import io
import logging

import numpy as np
import pytest

from grokscope.spectra import analyze_layer
from grokscope.spectra.esd import as_matrix, eigenvalues
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.weightwatcher import WeightWatcherMeasures, determinant_is_one, positions, rand_distance

torch = pytest.importorskip("torch")

THEIRS = {"alpha_weightwatcher": "alpha"}
STEPS = [0, 10, 1000, 10_000, 100_000, 251_189, 501_187, 1_000_000, 3_162_278, 6_309_573]
FEW = (0, 100_000, 6_309_573)  # the library's own fit takes it seconds a checkpoint


def details_of(weights: list[np.ndarray], **options: bool):
    """The table of WeightWatcher for layers with these weights in double precision."""
    modules = []
    for weight in weights:
        if weight.ndim == 2:
            module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        else:
            module = torch.nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], bias=False)
        module.weight = torch.nn.Parameter(torch.from_numpy(np.asarray(weight, dtype=np.float64)))
        modules.append(module)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        weightwatcher = pytest.importorskip("weightwatcher")
        logging.getLogger("weightwatcher").setLevel(logging.ERROR)
        return weightwatcher.WeightWatcher(model=torch.nn.Sequential(*modules)).analyze(ERG=True, **options)


def assert_equal(weights: list[np.ndarray], stable_rank: bool = True) -> None:
    """Every column of ours is the library's."""
    for weight, (_, row) in zip(weights, details_of(weights, mp_fit=True).iterrows(), strict=True):
        ours = analyze_layer(weight, "fc", step=0, permutations=1, null_draws=50)
        for name in WeightWatcherMeasures.__dataclass_fields__:
            theirs = float(row[THEIRS.get(name, name)])
            assert getattr(ours, name) == pytest.approx(theirs, rel=1e-6), (name, weight.shape)
        if stable_rank:
            assert ours.stable_rank == pytest.approx(row["stable_rank"], rel=1e-6)


SLOW = [pytest.param(step, marks=pytest.mark.torture) for step in STEPS if step not in FEW]


@pytest.mark.parametrize("step", [*FEW, *SLOW])
def test_every_measure_is_analyzes_on_a_checkpoint(step, reference_weights):
    assert_equal([weight.astype(np.float64) for weight in reference_weights(step).values()])


def test_a_layer_of_few_outputs_with_a_mean_is_fitted_as_by_analyze(rng):
    """Small eigenvalues beside a large one: the smoothed density begins at 0, where the law has no height."""
    assert_equal([rng.standard_normal(shape) + 3 for shape in [(12, 400), (10, 784)]])


def test_a_convolution_is_pooled_over_its_kernel_positions(rng):
    assert_equal([rng.standard_normal((32, 12, 3, 3)), rng.standard_t(3, (20, 40, 1, 3))], stable_rank=False)


@pytest.mark.parametrize("shape", [(150, 120), (60, 90)])
def test_the_distance_of_shuffled_entries_is_analyzes_for_the_same_shuffle(shape, rng):
    """Its shuffles are numpy's global ones: one, or five below 100 eigenvalues, and then that of the distance."""
    weight = rng.standard_t(3, shape)
    np.random.seed(7)  # noqa: NPY002
    theirs = details_of([weight], randomize=True).iloc[0]["rand_distance"]
    np.random.seed(7)  # noqa: NPY002
    for _ in range(2 if min(shape) >= 100 else 6):
        shuffled = weight.ravel().copy()
        np.random.shuffle(shuffled)  # noqa: NPY002
    ours = rand_distance([eigenvalues(weight)], [eigenvalues(shuffled.reshape(shape))])
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_the_stored_distance_is_that_of_the_permutation_that_is_shown(rng):
    linear = analyze_layer(rng.standard_t(3, (60, 90)), "fc", step=0, permutations=5, null_draws=50)
    assert linear.rand_distance == rand_distance([linear.esd], [linear.randomized_esd])
    kernel = rng.standard_t(3, (20, 12, 3, 3))
    convolution = analyze_layer(kernel, "conv", step=0, permutations=1, null_draws=50)
    shuffled = Permutations(as_matrix(kernel), seed_key(0, 0, "conv"))[0].reshape(kernel.shape)
    pooled = [[eigenvalues(one) for one in positions(weight)] for weight in (kernel, shuffled)]
    assert convolution.rand_distance == pytest.approx(rand_distance(*pooled))


def test_a_convolutions_positions_joined_and_pooled_are_two_alphas(rng):
    weight = rng.standard_normal((32, 12, 3, 3)) * np.geomspace(1, 30, 32)[:, None, None, None]
    spectrum = analyze_layer(weight, "conv", step=0, permutations=1, null_draws=50)
    assert abs(spectrum.alpha / spectrum.alpha_weightwatcher - 1) > 0.01
    assert len(positions(weight)) == 9
    assert positions(weight)[4] == pytest.approx(weight[:, :, 1, 1] / np.sqrt(2))


def test_the_determinant_of_the_tail_is_one():
    """4, 2, 1/2 … of mean 1: the products from the top are 4, 8, 4, 1 and then below 1."""
    esd = np.array([1 / 8, 1 / 8, 1 / 5, 1 / 2, 2, 4])
    assert determinant_is_one(esd / esd.mean()) == determinant_is_one(esd)
    scaled = np.sort(esd / esd.mean())[::-1]
    assert np.prod(scaled[: determinant_is_one(esd)]) < 1 <= np.prod(scaled[: determinant_is_one(esd) - 1])
