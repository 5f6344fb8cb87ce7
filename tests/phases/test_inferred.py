"""Phases from weights: structure, gates, each threshold at its edge, and what is not known."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grokscope.phases import Evidence, LayerEvidence, infer, infer_as_published
from grokscope.phases.evidence import COLUMNS
from grokscope.phases.inferred import closure, growth
from grokscope.phases.strain import strain, times

OPEN, HALF, SHUT = 0.4, 2.0**-3, 2.0**-4  # lit shares: open, where undecided begins, where collapse does
ROOT = 10 * 2**0.5  # a capacity of 10, grown to where undecided begins
SMALLEST = 1e-6


def layer(name: str = "fc1", size: int = 200, **columns: float | list[float]) -> LayerEvidence:
    """A quiet layer over three checkpoints; a column is given by its last value, or by all three."""
    quiet: dict[str, float] = {
        "num_signal": 0, "num_traps": 0, "num_entry_traps": 0, "dominance": 2, "alpha": 4, "alpha_high": 5,
        "num_tail": 60, "norm": 10, "stable_rank": 25, "live_rows": 1, "lit": OPEN,
        "bias_over_norm": 0, "scale": 4.6, "capacity": 30,
    }  # fmt: skip
    assert set(quiet) == set(COLUMNS)
    series = {name: np.full(3, float(value)) for name, value in quiet.items()}
    for column, value in columns.items():
        series[column] = np.array(value if isinstance(value, list) else [quiet[column]] * 2 + [value], dtype=float)
    return LayerEvidence(name, size, **series)


def network(first: LayerEvidence | None = None, bias: float = 0.0, **options: object) -> Evidence:
    """Three layers, the second with biases of that size at every checkpoint."""
    second = layer("fc2", bias_over_norm=[bias] * 3)
    return Evidence((first or layer(), second, layer("fc3", size=10)), **options)  # type: ignore[arg-type]


def gated(*lit: float, bias: float = 0.0) -> Evidence:
    """A network with structure whose first layer is lit that much at its three checkpoints."""
    return network(layer(num_signal=3, lit=list(lit)), bias)


def grown(*capacity: float, lit: float = OPEN, **options: object) -> Evidence:
    """A network with structure whose capacity is that at its three checkpoints."""
    last = layer("fc3", size=10, capacity=list(capacity))
    return Evidence((layer(num_signal=3, lit=[lit] * 3), layer("fc2"), last), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        (network(), "pre-grokking"),
        (network(left_out=2), "undecided"),
        (network(no_bound="its loss is another"), "undecided"),  # it may generalise all the same
        (network(layer(num_signal=3), no_bound="its loss is another"), "grokking"),  # gates need no bound
        (network(layer(num_signal=3, live_rows=0)), "unknown"),  # it stands still
        (network(layer(num_entry_traps=1)), "undecided"),
        (gated(OPEN, OPEN, OPEN), "grokking"),
        (gated(OPEN, OPEN, HALF + SMALLEST), "grokking"),
        (gated(OPEN, OPEN, HALF), "undecided"),
        (gated(OPEN, SHUT, SHUT), "anti-grokking"),
        (gated(OPEN, SHUT, SHUT + SMALLEST), "undecided"),
        (gated(OPEN, SHUT + SMALLEST, SHUT), "undecided"),  # has not lasted yet
        (gated(OPEN, SHUT, OPEN), "grokking"),  # it opened again
        (gated(OPEN, 0.0, 0.0), "anti-grokking"),
        (gated(OPEN, SHUT, SHUT, bias=0.2), "grokking"),  # the second layer's biases make up for it
        (gated(OPEN, OPEN, OPEN, bias=-0.17), "undecided"),  # 1.32 halvings and 1.7
        (gated(OPEN, OPEN, OPEN, bias=-0.16), "grokking"),
        (gated(OPEN, HALF, HALF, bias=-0.1 - SMALLEST), "anti-grokking"),
        (gated(OPEN, OPEN, np.nan), "unknown"),
        (network(layer(num_signal=3, scale=[np.nan, 4, 4])), "unknown"),
        (network(layer(num_signal=3, scale=[2.0, 9, 9])), "grokking"),
        (network(layer(num_signal=3, scale=[2.0 - SMALLEST, 9, 9])), "undecided"),
        (network(layer(num_signal=3), no_gates="tanh"), "unknown"),
        (network(layer(num_signal=3), random_labels=True), "undecided"),
        (network(layer(num_signal=3, size=50)), "grokking"),
        (network(layer(num_signal=3, size=49)), "pre-grokking"),  # the second layer has no structure
        (network(layer(num_signal=np.nan)), "unknown"),
        (Evidence((layer(size=49, num_signal=9),)), "undecided"),
        (Evidence(()), "unknown"),
    ],
)
def test_label_by_gates(evidence: Evidence, label: str) -> None:
    inferred = infer(evidence, by="gates")
    assert inferred.label == label, inferred.reasons
    assert all(reason and "\n" not in reason for reason in inferred.reasons)
    assert inferred.reasons


def strained(
    *doublings: float, live: float = 1.0, lit: float = OPEN, scale: float = 4.6, **options: object
) -> Evidence:
    """A network with structure whose last layer has a largest singular value of that many doublings."""
    last = layer("fc3", size=10, norm=[2.0**one for one in doublings])
    first = layer(num_signal=3, lit=[lit] * 3, live_rows=[live] * 3, scale=[scale] * 3)
    return Evidence((first, layer("fc2"), last), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        (strained(0, 6, 6, lit=1), "anti-grokking"),
        (strained(0, 6, 6 - SMALLEST, lit=1), "undecided"),
        (strained(0, 6 - SMALLEST, 6, lit=1), "undecided"),  # has not lasted yet
        (strained(0, 5, 5, lit=1), "undecided"),
        (strained(0, 5, 5 - SMALLEST, lit=1), "grokking"),
        (strained(3, 9, 9, lit=1), "anti-grokking"),  # since the first checkpoint
        (strained(3, 8, 7.9, lit=1), "grokking"),
        (strained(0, 2, 2, lit=2**-4), "anti-grokking"),  # as many gates have closed
        (strained(0, 2, 2, lit=2**-2, live=2**-2), "anti-grokking"),  # units that nothing lights count as closed
        (strained(0, 2, 2, lit=2**-2, live=2**-2 + SMALLEST), "undecided"),
        (strained(0, 6, np.nan), "unknown"),
        (strained(0, 6, 6, lit=1, scale=4.0), "anti-grokking"),
        (strained(0, 6, 6, lit=1, scale=4.0 - SMALLEST), "grokking"),  # from a smaller start gates decide
        (
            strained(0, 9, 9, no_bound="its loss is another"),
            "grokking",
        ),  # outputs may grow for ever: gates decide
        (strained(0, 0, 0, lit=SHUT, no_bound="its loss is another"), "anti-grokking"),
        (strained(0, 9, 9, no_gates="tanh"), "unknown"),
        (strained(0, 9, 9, random_labels=True), "undecided"),
        (network(), "pre-grokking"),
    ],
)
def test_label(evidence: Evidence, label: str) -> None:
    inferred = infer(evidence)
    assert inferred.label == label, inferred.reasons


def test_a_strain_that_is_not_measured_at_first_says_what_measures_it() -> None:
    [reason, *_] = infer(strained(np.nan, 6, 6)).reasons
    assert "not measured, which takes the first checkpoint as well as this one; `grokscope analyze`" in reason


def test_it_is_known_whether_strain_decides() -> None:
    assert infer(strained(0, 1, 1)).by_strain
    assert not infer(strained(0, 1, 1), by="gates").by_strain
    for other in (
        {"scale": 3.9},
        {"no_bound": "its loss is another"},
        {"no_gates": "tanh"},
        {"random_labels": True},
    ):
        assert not infer(strained(0, 1, 1, **other)).by_strain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        (grown(30, 30, 30), "grokking"),
        (grown(90, 60, 30), "grokking"),  # it falls
        (grown(10, 10, ROOT - SMALLEST), "grokking"),
        (grown(10, 10, ROOT + SMALLEST), "undecided"),
        (grown(10, 10, 20), "undecided"),  # has not lasted yet
        (grown(10, 20, 20), "anti-grokking"),
        (grown(10, 20, 20 - SMALLEST), "undecided"),
        (grown(10, 20 - SMALLEST, 20), "undecided"),
        (grown(10, 20, 12), "grokking"),  # it came back
        (grown(np.nan, 10, 20), "undecided"),  # not measured at the first checkpoint
        (grown(10, 20, np.nan), "unknown"),
        (grown(10, 10, 10, lit=0.0), "grokking"),  # gates do not decide here
        (grown(10, 20, 20, no_bound="its loss is another"), "unknown"),  # outputs may grow for ever
        (grown(10, 20, 20, random_labels=True), "undecided"),
        (network(), "pre-grokking"),
        (grown(10, 20, 20, no_gates="tanh"), "unknown"),
    ],
)
def test_label_by_capacity(evidence: Evidence, label: str) -> None:
    inferred = infer(evidence, by="capacity")
    assert inferred.label == label, inferred.reasons


def test_exponents_traps_and_dominance_are_named_and_decide_nothing() -> None:
    late = layer(num_signal=9, num_entry_traps=4, alpha_high=1.9, num_tail=20, dominance=10)
    inferred = infer(network(late))
    assert inferred.label == "grokking"
    assert sum(reason.startswith("seen as well") for reason in inferred.reasons) == 3
    for quiet in ({"num_tail": 19}, {"alpha_high": 2.0}, {"dominance": 9.99}, {"num_entry_traps": 0}):
        fewer = replace(late, **{name: np.full(3, value) for name, value in quiet.items()})
        assert sum(reason.startswith("seen as well") for reason in infer(network(fewer)).reasons) == 2


def test_reasons_are_words_for_a_newcomer() -> None:
    reason = infer(gated(0.2, 0.03, 0.03, bias=-0.05), by="gates").reasons[0]
    assert reason.startswith("the first layer's gates have closed: ")
    assert infer(gated(OPEN, OPEN, OPEN), by="gates").reasons[0].startswith("the first layer's gates are open: ")
    assert "nearly closed" in infer(gated(OPEN, OPEN, HALF), by="gates").reasons[0]
    assert "lights 3.0 % of those of fc1's units that still turn, 20.0 % at best" in reason
    assert reason.endswith("; fc2's biases help to close its own (-0.05 of a row's norm)")
    for none in (0.0, 0.004, -0.004):
        assert infer(gated(0.2, 0.03, 0.03, bias=none), by="gates").reasons[0].endswith(" at best")
    assert infer(strained(0, 5, 5, live=0.5)).reasons[0] == (
        "the network is very steep for the few gates that are open: 32.0 times as steep as at the first "
        "checkpoint, and a fair-sized bright image lights 20.0 % of fc1's units; 160 times in all"
    )
    reason = infer(grown(40, 10, 30), by="capacity").reasons[0]
    assert "the same answers, not by much or not for long: its capacity is 3.00 times its least so far" in reason


def test_structure_is_told_with_what_else_makes_it_and_where_it_was_looked_for() -> None:
    small = layer("fc3", size=10, num_signal=2)
    assert infer(network(layer(num_signal=3))).reasons[1] == (
        "eigenvalues beyond the edge of noise (learned, or of a shifted mean or large entries): fc1 3"
    )
    quiet = "no layer of 50 or more eigenvalues has one beyond the edge of noise"
    passed_over = infer(Evidence((layer(), layer("fc2"), small)))
    assert passed_over.label == "pre-grokking"
    assert passed_over.reasons == (
        quiet,
        "seen as well: eigenvalues beyond the edge of noise in smaller layers: fc3 2",
    )
    assert infer(network()).reasons == (quiet,)
    for count, words in ((1, "1 weight is left out"), (2, "2 weights are left out")):
        assert infer(network(left_out=count)).reasons == (f"{quiet}, but {words}",)


def test_more_doublings_than_a_float_holds_are_infinitely_many_times(recwarn: pytest.WarningsRecorder) -> None:
    inferred = infer(strained(0, 1000, 1000, lit=2.0**-900))
    assert inferred.label == "anti-grokking"
    assert inferred.reasons[0].endswith("; ∞ times in all")
    assert times(inferred.strain) == np.inf
    assert not recwarn.list


def test_a_capacity_that_has_grown_is_named_and_decides_nothing() -> None:
    inferred = infer(grown(10, 20, 20))
    assert inferred.label == "grokking"
    assert inferred.reasons[-1] == "seen as well: its capacity is 2.00 times its least so far"
    far = infer(grown(1e-60, 1, 1e80)).reasons[-1]
    assert far == "seen as well: its capacity is 1.00e140 times its least so far"
    for quiet in (grown(10, 20, 20 - SMALLEST), grown(10, 20, 20, no_bound="its loss is another")):
        assert not any("capacity" in reason for reason in infer(quiet).reasons)


def test_capacity_has_grown_from_the_least_so_far_where_the_loss_holds_outputs() -> None:
    np.testing.assert_allclose(growth(grown(40, 10, 20)), [0, 0, 1])
    for blind in (grown(10, 20, 20, no_gates="tanh"), grown(10, 20, 20, no_bound="its loss is another")):
        assert np.isnan(growth(blind)).all()


def test_one_checkpoint_alone_is_unknown() -> None:
    assert infer(gated(OPEN, SHUT, SHUT).until(0)).label == "unknown"
    assert infer(network().until(0)).label == "unknown"
    assert "history" in infer(network().until(0)).reasons[0]
    assert infer(network().until(1)).label == "pre-grokking"  # two are a history


def test_a_layer_with_structure_that_turns_nan_makes_the_label_unknown() -> None:
    before = network(layer(num_signal=1))
    lost = layer(num_signal=[1, 1, np.nan], lit=[OPEN, OPEN, np.nan])
    assert infer(before).label == "grokking"
    assert infer(network(lost)).label == "unknown"
    both = Evidence((lost, layer("fc2", num_signal=2), layer("fc3", size=10)))
    assert infer(both).label == "unknown"


values = st.sampled_from([np.nan, 0.0, 1e-9, SHUT, HALF, OPEN, 0.9, 1.9, 2.0, 5.0, 25.0])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_label_never_changes_when_later_checkpoints_are_appended(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 6))
    layers = []
    for name, size in (("fc1", 60), ("fc2", 60), ("fc3", 10)):
        series = st.lists(values, min_size=count, max_size=count)
        columns = {column: np.array(data.draw(series)) for column in COLUMNS}
        layers.append(LayerEvidence(name, size, **columns))
    no_bound = data.draw(st.sampled_from(["", "its loss is another"]))
    whole = Evidence(tuple(layers), no_bound=no_bound)
    for index in range(count):
        cut = [
            replace(one, **{column: getattr(one, column)[: index + 1].copy() for column in COLUMNS})
            for one in layers
        ]
        as_it_was = Evidence(tuple(cut), no_bound=no_bound)
        for rule in (infer, partial(infer, by="gates"), partial(infer, by="capacity"), infer_as_published):
            assert rule(as_it_was) == rule(whole.until(index))
        for score in (closure, growth, strain):
            np.testing.assert_array_equal(score(as_it_was), score(whole)[: index + 1])


def test_every_column_is_cut() -> None:
    assert set(COLUMNS) == {field.name for field in fields(LayerEvidence)} - {"name", "num_eigenvalues"}


@pytest.mark.parametrize(
    ("first", "label"),
    [
        (layer(alpha=1.99, num_traps=1), "anti-grokking"),
        (layer(alpha=2.0, num_traps=1), "undecided"),
        (layer(alpha=1.99), "undecided"),
        (layer(alpha=2.0), "grokking"),
        (layer(alpha=6.0), "grokking"),
        (layer(alpha=np.nan), "unknown"),
    ],
)
def test_the_rule_of_the_papers(first: LayerEvidence, label: str) -> None:
    assert infer_as_published(Evidence((first,))).label == label


def test_the_papers_exponents_beyond_six_are_before_grokking() -> None:
    assert infer_as_published(Evidence((layer(alpha=6.01), layer("fc2", alpha=9)))).label == "pre-grokking"
    assert infer_as_published(Evidence((layer(num_signal=np.nan),))).label == "unknown"
