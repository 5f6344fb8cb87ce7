"""Gates from weights: against simulated inputs, closed forms, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.phases.gates import Gates, lit_share, mean_spike, measure_gates, to_unit_range, turned

Array = NDArray[np.float64]
UNITS, PIXELS, REGIONS = 12, 60, 12


def layer(seed: int = 0, mean: float = -0.05) -> tuple[Array, Array, Array]:
    """A weight [12, 60] and bias [12] of small negative mean, and the weight before, which points elsewhere."""
    rng = np.random.default_rng(seed)
    return rng.normal(mean, 0.3, (UNITS, PIXELS)), rng.normal(-0.1, 0.1, UNITS), rng.normal(size=(UNITS, PIXELS))


def test_as_many_units_are_lit_as_by_inputs_of_independent_regions() -> None:
    weight, bias, _ = layer()
    rng = np.random.default_rng(1)
    blocks = rng.permutation(PIXELS) % REGIONS  # which region a pixel is in
    weight = np.stack([weight[:, blocks == region].mean(axis=1) for region in range(REGIONS)])[blocks].T
    images = rng.integers(0, 2, (40_000, REGIONS))[:, blocks]
    simulated = float((images @ weight.T + bias > 0).mean())
    assert lit_share(weight, bias, REGIONS) == pytest.approx(simulated, abs=0.02)


def test_a_fair_sized_input_has_two_and_a_half_regions_a_side() -> None:
    weight, bias, before = layer()
    expected = lit_share(weight, bias, 2.5 * np.sqrt(PIXELS))
    assert measure_gates(weight, bias, before, before).lit == pytest.approx(expected, rel=1e-12)


def test_the_chance_that_no_unit_is_lit_is_that_of_independent_units() -> None:
    weight, bias, before = layer(mean=-0.15)
    images = np.random.default_rng(2).integers(0, 2, (40_000, PIXELS))
    dark = (images @ weight.T + bias <= 0).mean(axis=0)
    assert measure_gates(weight, bias, before, before).none_lit == pytest.approx(dark.prod(), rel=0.1)


def test_symmetric_weights_light_half_of_the_units_and_drift_closes_them() -> None:
    weight, _, before = layer(mean=0)
    lit = [measure_gates(weight + drift, np.zeros(UNITS), before, before).lit for drift in (0.0, -0.05, -0.2)]
    assert lit[0] == pytest.approx(0.5, abs=0.05)
    assert lit[0] > lit[1] > lit[2]


def test_units_that_no_longer_learn_and_pixels_that_never_did_are_left_out() -> None:
    weight, bias, before = layer()
    alone = measure_gates(weight, bias, before, before)
    dead, dark = np.full((3, PIXELS), -1.0), np.full((UNITS + 3, 5), 7.0)
    wide = np.hstack([np.vstack([weight, dead]), dark])
    wide_before = np.hstack([np.vstack([before, 2 * dead]), 2 * dark])  # decay shrinks, and does not turn
    found = measure_gates(wide, np.append(bias, [9.0] * 3), wide_before, wide_before)
    assert found.live_rows == UNITS / (UNITS + 3)
    assert found.turned_columns == PIXELS / (PIXELS + 5)
    for name in ("lit", "none_lit", "row_mean_z", "bias_over_norm"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name), rel=1e-12)


@pytest.mark.parametrize(("angle", "expected"), [(0.99e-3, False), (1.01e-3, True), (3.0, True)])
def test_a_row_has_turned_beyond_a_thousandth_of_a_radian(angle: float, expected: bool) -> None:
    row = np.array([[np.cos(angle), np.sin(angle)]])
    assert turned(5 * row, np.array([[1.0, 0.0]])).tolist() == [expected]


def test_a_row_of_zeros_has_not_turned() -> None:
    assert turned(np.zeros((1, 4)), np.ones((1, 4))).tolist() == [False]


def test_the_mean_makes_a_singular_value_of_that_size() -> None:
    noise = np.random.default_rng(3).normal(size=(300, 200))
    noise -= noise.mean()
    weight = 4 * (noise / noise.std() + 3)
    assert mean_spike(weight) == pytest.approx(3 * np.sqrt(weight.size), rel=1e-12)
    spike = np.linalg.svd(weight, compute_uv=False)[0] / weight.std()
    assert spike == pytest.approx(mean_spike(weight), rel=0.01)
    assert np.isnan(mean_spike(np.ones((3, 3))))


def test_pytorchs_initialisation_has_its_scale_whatever_the_width() -> None:
    bound = 1 / np.sqrt(700)
    weight = np.random.default_rng(4).uniform(-bound, bound, (200, 700))
    assert measure_gates(weight, np.zeros(200), None, None).scale == pytest.approx(1 / np.sqrt(3), rel=0.01)


@pytest.mark.parametrize(("low", "high"), [(-0.4242, 2.8215), (-1.0, 1.0), (0.0, 255.0)])
def test_standardised_inputs_have_the_gates_of_the_network_on_plain_ones(low: float, high: float) -> None:
    weight, bias, before = layer()
    scaled = weight / (high - low)
    there = to_unit_range(scaled, bias - low * scaled.sum(axis=1), low, high)
    before_there = to_unit_range(before, bias, low, high)[0]
    expected, found = (measure_gates(*pair, before_there, before_there) for pair in ((weight, bias), there))
    assert found.lit == pytest.approx(expected.lit, rel=1e-9)
    assert found.bias_over_norm == pytest.approx(expected.bias_over_norm, rel=1e-9)


def test_what_hangs_on_earlier_checkpoints_is_not_measured_without_them() -> None:
    weight, bias, before = layer()
    first = measure_gates(weight, bias, None, None)
    assert np.isfinite([first.scale, first.mean_spike]).all()
    assert np.isnan([first.lit, first.live_rows, first.bias_over_norm]).all()
    still = measure_gates(weight, bias, weight, before)
    assert still.live_rows == 0
    assert np.isnan(still.lit)
    assert repr(measure_gates(weight * np.nan, bias, before, before)) == repr(Gates())


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_not_finite_is_not_measured_and_warns_of_nothing(
    odd: float, recwarn: pytest.WarningsRecorder
) -> None:
    weight, bias = np.random.default_rng(0).normal(size=(6, 8)), np.zeros(6)
    for where in (weight[0], bias):
        before = where.copy()
        where[:2] = odd, -odd
        assert repr(measure_gates(*to_unit_range(weight, bias, 0, 1), weight, weight)) == repr(Gates())
        where[:] = before
    assert not recwarn.list
