"""What figures say, against closed forms, numpy and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import trapezoid

from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.analysis.timeline import Timeline
from grokscope.figures import (
    PANELS,
    Axis,
    Band,
    Bars,
    Curve,
    Heatmap,
    HLine,
    Points,
    Span,
    VLine,
    classes,
    dxmin,
    esd,
    heatmap,
    on_common_axes,
    over_time,
    randomised,
    spectrogram,
)
from grokscope.figures.data import Figure, Mark
from grokscope.figures.histogram import edges_through
from grokscope.spectra import LayerSpectrum, analyze_layer
from grokscope.spectra.combined import combined_p
from tests.figures.conftest import STEPS, history


def one(figure: Figure, kind: type[Mark], label: str = "") -> Mark:
    """The only mark of a kind whose label begins so."""
    (found,) = [mark for mark in figure.of(kind) if mark.label.startswith(label)]
    return found


@pytest.mark.parametrize("scales", [("log", "log"), ("linear", "linear"), ("log", "linear")])
def test_an_esd_integrates_to_the_share_of_eigenvalues_that_it_shows(
    spectrum: LayerSpectrum, scales: tuple[str, str]
) -> None:
    """Bars are a density per unit of λ, whatever the axes."""
    figure = esd(spectrum, scales=scales)  # type: ignore[arg-type]
    total = sum(float(np.nansum(bars.heights * np.diff(bars.edges))) for bars in figure.of(Bars))
    low = figure.of(Bars)[0].edges[0]
    assert total == pytest.approx(np.mean(spectrum.esd >= low), abs=1e-12)


def test_what_is_zero_within_rounding_is_in_no_picture() -> None:
    """Of a single-precision matrix of rank 1 a single eigenvalue is more than that."""
    rng = np.random.default_rng(0)
    weight = np.outer(rng.normal(size=30), rng.normal(size=20)).astype(np.float32)
    spectrum = analyze_layer(weight, "fc1", step=0, permutations=1, null_draws=50)
    assert esd(spectrum).reason == "fewer than two eigenvalues above zero"
    assert dxmin(spectrum).reason == "no power-law fit"
    (cells,) = spectrogram(history(0), "fc1", [spectrum] * len(STEPS)).of(Heatmap)
    assert (np.nansum(cells.values > 0, axis=0) <= 1).all()


def with_zeros(spectrum: LayerSpectrum, count: int) -> LayerSpectrum:
    """The spectrum of a layer of lower rank: with so many eigenvalues more, which are zero."""
    zeros = np.zeros(count)
    return replace(
        spectrum,
        num_zero=spectrum.num_zero + count,
        esd=np.concatenate([zeros, spectrum.esd]),
        randomized_esd=np.concatenate([zeros, spectrum.randomized_esd]),
    )


@pytest.mark.parametrize("zeros", [0, 60])
def test_the_tail_begins_in_a_bin_of_its_own_and_holds_its_eigenvalues(
    spectrum: LayerSpectrum, zeros: int
) -> None:
    """xmin is an edge, and the bars from there on hold num_tail of all eigenvalues; zeros lie below the axis."""
    spectrum = with_zeros(spectrum, zeros)
    figure = esd(spectrum)
    assert figure.below == zeros
    tail = one(figure, Bars, "tail")
    assert spectrum.xmin in tail.edges.tolist()
    held = np.nansum(tail.heights * np.diff(tail.edges)) * len(spectrum.esd)
    assert held == pytest.approx(spectrum.num_tail)


def test_the_fitted_power_law_has_its_slope_and_the_tails_share(spectrum: LayerSpectrum) -> None:
    """log p falls by α a unit of log λ, and ∫ p from xmin on is num_tail/M."""
    law = one(esd(spectrum), Curve, "λ^")
    slopes = np.diff(np.log(law.y)) / np.diff(np.log(law.x))
    assert slopes == pytest.approx(-spectrum.alpha, rel=1e-9)
    beyond = law.y[-1] * law.x[-1] / (spectrum.alpha - 1)
    logs = np.linspace(np.log(spectrum.xmin), np.log(spectrum.xmax), 4000)
    dense = np.exp(np.interp(logs, np.log(law.x), np.log(law.y)) + logs)
    share = spectrum.num_tail / len(spectrum.esd)
    assert trapezoid(dense, logs) + beyond == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize(("kept", "zeros"), [(1, 0), (0, 0), (1, 60)])
def test_the_marchenko_pastur_law_describes_all_but_the_traps(
    spectrum: LayerSpectrum, kept: int, zeros: int
) -> None:
    """The area under the law is the share of eigenvalues below the least trap, kept or not; a bin begins at λ₊."""
    least = min(trap.eigenvalue for trap in spectrum.traps)
    spectrum = with_zeros(replace(spectrum, traps=spectrum.traps[:kept]), zeros)
    figure = randomised(spectrum)
    law = one(figure, Curve, "Marchenko")
    below = float(np.mean(spectrum.randomized_esd < least))
    assert below < 1
    assert trapezoid(np.nan_to_num(law.y), law.x) == pytest.approx(below, rel=2e-3)
    assert np.abs(one(figure, Bars, "traps").edges / spectrum.lambda_plus - 1).min() < 1e-9
    assert np.isfinite(one(figure, Bars, "traps").heights).any()
    assert "1 trap" in [fact.text for fact in figure.facts]
    named = [(at, name) for points in figure.of(Points) for at, name in zip(points.x, points.names, strict=True)]
    assert named == [(trap.eigenvalue, "e") for trap in spectrum.traps]


def test_the_chosen_xmin_has_the_least_distance(spectrum: LayerSpectrum) -> None:
    """The curve's least value is D, at xmin, where the line stands."""
    figure = dxmin(spectrum)
    curve = one(figure, Curve)
    assert curve.x[np.nanargmin(curve.y)] == spectrum.xmin == one(figure, VLine).at
    assert np.nanmin(curve.y) == pytest.approx(spectrum.power_law_distance, rel=1e-12)
    assert one(figure, Band).high[0] == pytest.approx(1.2 * spectrum.power_law_distance)


def test_a_layer_that_is_not_measured_says_why() -> None:
    """No mark, and the reason."""
    missing = LayerSpectrum("fc3", (10, 4), "10 × 4: fewer than 8 eigenvalues")
    for figure in (esd(missing), randomised(missing), dxmin(missing)):
        assert figure.reason == missing.reason
        assert figure.marks == ()


def test_one_run_shows_its_own_values_phases_and_references(runs: list[Timeline]) -> None:
    """A curve a layer, broken where nothing is measured; spans of phases up to where the next begins."""
    figure = over_time(PANELS["alpha"](runs[0]), runs[:1])
    for layer in ("fc1", "fc2"):
        curve = one(figure, Curve, layer)
        np.testing.assert_array_equal(curve.y, runs[0].measure("alpha", layer))
        assert curve.x.tolist() == [0.5, *STEPS[1:]]  # step 0 stands at the axis's end
    assert [(span.label, span.x0, span.x1) for span in figure.of(Span)] == [
        ("pre-grokking", 0.5, 1000.0), ("grokking", 1000.0, 30000.0), ("anti-grokking", 30000.0, 30000.0)
    ]  # fmt: skip
    assert [line.at for line in figure.of(HLine)] == [2.0, 6.0]
    assert figure.of(Band) == ()


def test_one_layer_shows_its_interval(runs: list[Timeline]) -> None:
    """alpha_low to alpha_high."""
    band = one(over_time(PANELS["alpha"](runs[0], ("fc2",)), runs[:1]), Band)
    np.testing.assert_array_equal(band.low, runs[0].measure("alpha_low", "fc2"))
    np.testing.assert_array_equal(band.high, runs[0].measure("alpha_high", "fc2"))


@pytest.mark.parametrize(
    ("name", "label"),
    [("alpha", "interval of fc2"), ("traps", "least to most of fc2"), ("circuit", "± sd over masks of KL")],
)
def test_a_band_is_called_what_it_is(runs: list[Timeline], name: str, label: str) -> None:
    assert one(over_time(PANELS[name](runs[0], ("fc2",)), runs[:1]), Band).label == label


def test_seeds_are_averaged_at_the_steps_that_all_have(runs: list[Timeline]) -> None:
    """Mean and sample standard deviation, as numpy has them; one run lacks a checkpoint."""
    keep = np.array([0, 1, 3, 4, 5, 6])
    shorter = replace(
        runs[2],
        steps=runs[2].steps[keep],
        measures={key: values[keep] for key, values in runs[2].measures.items()},
        observed=[runs[2].observed[k] for k in keep],
    )
    figure = over_time(PANELS["sigma_mp"](runs[0]), [runs[0], runs[1], shorter])
    table = np.array([run.measure("sigma_mp", "fc1")[keep] for run in runs])
    curve, band = one(figure, Curve, "fc1"), one(figure, Band, "± sd of fc1")
    np.testing.assert_allclose(curve.y, np.mean(table, axis=0))
    np.testing.assert_allclose(band.high - band.low, 2 * np.std(table, axis=0, ddof=1))
    assert "3 runs at the 6 steps" in figure.facts[-1].text


def test_phases_behind_a_mean_are_those_that_all_runs_agree_on(runs: list[Timeline]) -> None:
    """Whichever is named first: one generalises earlier, one never collapses."""
    late = replace(runs[1], observed=["pre-grokking"] * 3 + ["grokking"] * 4)
    early = replace(runs[2], observed=["pre-grokking"] * 2 + ["grokking"] * 4 + ["anti-grokking"])
    for order in ([runs[0], late, early], [early, late, runs[0]]):
        spans = over_time(PANELS["norm"](runs[0]), order).of(Span)
        assert [(span.label, span.x0, span.x1) for span in spans] == [
            ("pre-grokking", 0.5, 300.0), ("grokking", 1000.0, 30000.0)
        ]  # fmt: skip


def test_p_values_of_seeds_are_combined_not_averaged(runs: list[Timeline]) -> None:
    """By Fisher's method, as scipy has it; and no spread is drawn."""
    figure = over_time(PANELS["ks"](runs[0]), runs)
    table = np.array([run.measure("ks_p", "fc1") for run in runs])
    known = np.isfinite(table).all(axis=0)
    expected = [scipy.stats.combine_pvalues(column).pvalue for column in table.T[known]]
    points = one(figure, Points, "fc1")
    np.testing.assert_allclose(points.y, expected, rtol=1e-9)
    assert figure.of(Band) == ()


@pytest.mark.parametrize("p_values", [[0.3], [0.04, 0.9], [1e-4] * 8, [1.0, 1.0]])
def test_fishers_combination_is_scipys(p_values: list[float]) -> None:
    """The closed form for an even number of degrees of freedom."""
    assert combined_p(p_values) == pytest.approx(scipy.stats.combine_pvalues(p_values).pvalue, rel=1e-9)


def test_an_unknown_p_value_makes_the_combination_unknown() -> None:
    """Nothing is left out without a word."""
    assert np.isnan(combined_p([0.2, float("nan")]))
    assert np.isnan(combined_p([]))
    assert combined_p([0.2, 0.0]) == 0


def test_a_value_alone_between_unknown_ones_is_a_point(runs: list[Timeline]) -> None:
    """A curve can't show it."""
    values = np.full(len(STEPS), np.nan)
    values[[1, 4, 5]] = 3.0, 4.0, 5.0
    lonely = replace(runs[0], measures={("alpha", "fc1"): values}, layers=("fc1",))
    points = one(over_time(PANELS["alpha"](lonely), [lonely]), Points)
    assert (points.x.tolist(), points.y.tolist()) == ([100.0], [3.0])


def test_no_two_measures_have_one_title(runs: list[Timeline]) -> None:
    titles = [heatmap(runs[0], measure).title for measure in LAYER_COLUMNS]
    assert len(set(titles)) == len(LAYER_COLUMNS)


def test_maps_hold_the_runs_own_numbers(runs: list[Timeline], spectra: list[LayerSpectrum | None]) -> None:
    """Layers × steps, classes × steps, and eigenvalues × steps; what is not measured is NaN."""
    cells = one(heatmap(runs[0]), Heatmap)
    np.testing.assert_array_equal(cells.values, [runs[0].measure("alpha", layer) for layer in ("fc1", "fc2")])
    assert cells.names == ("fc1", "fc2")
    assert len(cells.x_edges) == len(STEPS) + 1
    assert (cells.x_edges[1:-1] > np.maximum(STEPS[:-1], 0.5)).all()
    assert (cells.x_edges[1:-1] < STEPS[1:]).all()
    np.testing.assert_array_equal(one(classes(runs[0]), Heatmap).values, runs[0].predictions.T)
    spectra = [spectrum and with_zeros(spectrum, 20) for spectrum in spectra]
    figure = spectrogram(runs[0], "fc1", spectra)
    cells = one(figure, Heatmap)
    shares = cells.values * np.log(cells.y_edges[1:] / cells.y_edges[:-1])[:, None]
    assert np.isnan(shares[:, 2]).all()
    for k, spectrum in enumerate(spectra):
        if spectrum is not None:
            shown = np.mean((spectrum.esd >= cells.y_edges[0]) & (spectrum.esd <= cells.y_edges[-1]))
            assert shares[:, k].sum() == pytest.approx(shown)
            assert one(figure, Curve, "xmin").y[k] == spectrum.xmin
            assert one(figure, Curve, "λ₊").y[k] == spectrum.lambda_plus
    unkept = [spectrum and replace(spectrum, traps=()) for spectrum in spectra]
    traps = [one(spectrogram(runs[0], "fc1", each), Points, "traps").y for each in (spectra, unkept)]
    assert len(traps[0]) == sum(spectrum.num_traps_shown for spectrum in spectra if spectrum)
    np.testing.assert_array_equal(*traps)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("value", [0.2, 1.0, 3.7, 12.3, 47.1, 81.59357045806212, 99.0, 100.0])
def test_bins_of_equal_width_begin_at_a_value(scale: str, value: float) -> None:
    """One edge is the value, all widths on the axis are equal, and the axis is covered."""
    axis = Axis("λ", scale, 0.1, 100.0)  # type: ignore[arg-type]
    edges = edges_through(value, axis, 12)
    places = axis.position(edges)
    assert value in edges.tolist()
    assert np.diff(places) == pytest.approx(1 / 12)
    assert places[0] <= 1e-9
    assert places[-1] >= 1 - 1e-9


def test_panels_side_by_side_have_the_same_axes(runs: list[Timeline]) -> None:
    """Each covers what any of them covers."""
    alone = [over_time(PANELS["sigma_mp"](run), [run]) for run in runs]
    together = on_common_axes(alone)
    assert len({(figure.y.low, figure.y.high) for figure in together}) == 1
    assert together[0].y.low == min(figure.y.low for figure in alone)
    assert together[0].y.high == max(figure.y.high for figure in alone)


def test_a_gap_between_checkpoints_breaks_curves_and_maps(runs: list[Timeline]) -> None:
    """From the initialisation to step 1,000 nothing was saved, and nothing is shown."""
    steps = np.array([0, 1000, 1500, 2000, 3000, 4000, 6000])
    values = np.arange(1.0, 8.0)
    late = replace(runs[0], steps=steps, last_step=6000, layers=("fc1",), measures={("alpha", "fc1"): values})
    curve = one(over_time(PANELS["alpha"](late), [late]), Curve)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(curve.y)), [1])
    assert curve.x[0] < curve.x[1] < 1000
    cells = one(heatmap(late), Heatmap)
    np.testing.assert_array_equal(cells.values[0], np.insert(values, 1, np.nan))
    assert curve.x[0] < cells.x_edges[1] < cells.x_edges[2] < 1000
    assert cells.x_edges[2] > 500
    np.testing.assert_array_equal(np.sort(cells.x_edges), cells.x_edges)


@pytest.mark.parametrize(
    ("first", "per_decade", "low"),
    [(794, 10, 794 / 4.6), (794, 4, 794 / 45), (1, 10, 0.5), (3, 20, 3 / 2.46), (251, 40, 251 / 2.5)],
)
def test_step_0_stands_a_gap_before_the_first_step_and_is_called_0(
    runs: list[Timeline], first: int, per_decade: int, low: float
) -> None:
    """However late and dense the checkpoints are: little of the axis is empty, and no curve crosses it."""
    steps = np.unique(np.concatenate([[0], np.round(first * 10 ** (np.arange(4 * per_decade) / per_decade))]))
    run = replace(runs[0], steps=steps.astype(np.int64), last_step=int(steps[-1]), layers=("fc1",),
                  measures={("alpha", "fc1"): np.ones(len(steps))}, observed=["-"] * len(steps))  # fmt: skip
    figure = over_time(PANELS["alpha"](run), [run])
    assert figure.x.low == pytest.approx(low, rel=0.1)
    assert figure.x.ticks(6)[0] == (figure.x.low, "0")
    curve = one(figure, Curve)
    np.testing.assert_array_equal(np.isnan(curve.y), np.arange(len(curve.y)) == (1 if low > 0.5 else -1))
    (late,) = [replace(run, steps=run.steps[1:], measures={("alpha", "fc1"): np.ones(len(steps) - 1)})]
    assert over_time(PANELS["alpha"](late), [late]).x.ticks(6)[0][1] != "0"


def test_counts_have_whole_ticks() -> None:
    """There is no half trap."""
    for high in (0.5, 1.3, 3.0, 9.0, 14.0, 40.0, 1500.0):
        axis = Axis("traps", low=-0.1, high=high, form="count")
        for most in (2, 5, 9):
            ticks = [value for value, _ in axis.ticks(most)]
            assert 1 <= len(ticks) <= most
            assert all(value == round(value) for value in ticks)
