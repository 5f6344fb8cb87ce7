"""Phases from accuracy: the paper's story, and the runs that don't follow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grokscope.importers import read_metrics
from grokscope.phases import Observed, Thresholds, observe


def phases_of(train: list[float], test: list[float], **thresholds: float) -> Observed:
    """Observe two short curves."""
    return observe(np.array(train), np.array(test), Thresholds(**thresholds) if thresholds else None)  # type: ignore[arg-type]


def test_memorised_generalised_and_collapsed() -> None:
    seen = phases_of([0.1, 1, 1, 1, 1, 1, 1], [0.1, 0.2, 0.2, 0.5, 0.8, 0.6, 0.5])
    assert seen.labels == ("pre-grokking",) * 3 + ("grokking",) * 2 + ("anti-grokking",) * 2
    assert (seen.memorised, seen.onset, seen.peak, seen.collapse) == (1, 3, 4, 5)


LEAST = 1e-9


@pytest.mark.parametrize(
    ("train", "test", "event", "index"),
    [
        ([0.5, 0.99, 1], [0.1, 0.1, 0.1], "memorised", 1),
        ([0.5, 0.99 - LEAST, 1], [0.1, 0.1, 0.1], "memorised", 2),
        ([1, 1, 1], [0.25, 0.3, 0.35], "onset", 2),
        ([1, 1, 1], [0.25, 0.3, 0.35 - LEAST], "onset", None),
        ([1, 1, 1], [0.8 + LEAST, 0.8, 0.8], "onset", 0),  # a gap of a fifth: no delay
        ([1, 1, 1], [0.8 - LEAST, 0.8, 0.8], "onset", None),
        ([1, 1, 1, 1], [0.2, 0.75, 0.7, 0.7], "collapse", 2),
        ([1, 1, 1, 1], [0.2, 0.75, 0.7 + LEAST, 0.7 + LEAST], "collapse", None),
        ([1, 1, 1, 1], [0.2, 0.75, 0.75, 0.7], "collapse", None),  # one checkpoint below has not lasted
    ],
)
def test_each_threshold_at_its_edge(train: list[float], test: list[float], event: str, index: int | None) -> None:
    assert getattr(phases_of(train, test), event) == index


def test_a_run_that_never_generalises_stays_before_grokking() -> None:
    seen = phases_of([0.1, 0.9, 1, 1, 1], [0.1, 0.2, 0.22, 0.21, 0.25])
    assert set(seen.labels) == {"pre-grokking"}
    assert (seen.onset, seen.peak, seen.collapse) == (None, None, None)


def test_a_run_that_never_memorises_stays_before_grokking() -> None:
    assert set(phases_of([0.1, 0.5, 0.6], [0.1, 0.5, 0.6]).labels) == {"pre-grokking"}


@pytest.mark.parametrize(
    ("train", "test", "labels"),
    [
        ([0.1, 0.985, 0.985], [0.1, 0.79 - LEAST, 0.95], "PP?"),
        ([0.1, 0.985, 0.985], [0.1, 0.79, 0.95], "P??"),
        ([0.1, 0.985, 0.5], [0.1, 0.95, 0.3], "P??"),
        ([0.1, 0.9, 0.99], [0.1, 0.85, 0.9], "P?G"),
        ([0.1, 0.99, 0.98], [0.1, 0.3, 0.38], "PPP"),
    ],
)
def test_high_test_accuracy_before_memorisation_is_no_phase(
    train: list[float], test: list[float], labels: str
) -> None:
    seen = phases_of(train, test)
    assert "".join("?" if label == "undecided" else label[0].upper() for label in seen.labels) == labels
    assert seen.forgotten is None


def test_generalisation_without_delay_begins_with_memorisation() -> None:
    seen = phases_of([0.1, 0.8, 1, 1], [0.1, 0.75, 0.93, 0.95])
    assert seen.labels == ("pre-grokking", "pre-grokking", "grokking", "grokking")


def test_a_small_dip_that_stays_is_no_collapse() -> None:
    seen = phases_of([1] * 6, [0.2, 0.5, 0.9, 0.88, 0.87, 0.88])
    assert seen.labels[-1] == "grokking"
    assert seen.collapse is None


def test_a_fall_that_recovers_is_no_collapse() -> None:
    seen = phases_of([1] * 7, [0.2, 0.5, 0.9, 0.6, 0.6, 0.9, 0.9])
    assert "anti-grokking" not in seen.labels


@pytest.mark.parametrize(
    ("train", "last", "collapse", "forgotten"),
    [
        ([1, 1, 1], ["anti-grokking"] * 3, 4, None),
        ([0.99, 0.99 - LEAST, 0.5], ["anti-grokking", "undecided", "undecided"], 4, 5),
        ([0.6, 0.5, 0.5], ["undecided"] * 3, None, 4),
        ([0.9, 1, 1], ["undecided", "anti-grokking", "anti-grokking"], 5, 4),
    ],
)
def test_a_network_that_loses_its_training_images_too_does_not_anti_grok(
    train: list[float], last: list[str], collapse: int | None, forgotten: int | None
) -> None:
    seen = phases_of([0.1, 1, 1, 1, *train], [0.1, 0.2, 0.5, 0.9, 0.6, 0.5, 0.4])
    assert list(seen.labels) == ["pre-grokking"] * 2 + ["grokking"] * 2 + last
    assert (seen.peak, seen.collapse, seen.forgotten) == (3, collapse, forgotten)


def test_a_training_accuracy_that_dips_while_the_tests_stays_changes_no_phase() -> None:
    assert phases_of([1, 1, 0.95, 1], [0.2, 0.5, 0.9, 0.9]).labels[2:] == ("grokking",) * 2


def test_one_bad_checkpoint_at_the_end_is_not_yet_a_collapse() -> None:
    assert phases_of([1] * 4, [0.2, 0.5, 0.9, 0.5]).labels[-1] == "grokking"
    assert phases_of([1] * 5, [0.2, 0.5, 0.9, 0.5, 0.5]).labels[-2:] == ("anti-grokking", "anti-grokking")


def test_labels_given_while_training_stay_when_more_checkpoints_come() -> None:
    train = [0.1, 1, 1, 1, 1, 1, 1, 1, 1]
    test = [0.1, 0.2, 0.2, 0.5, 0.8, 0.86, 0.6, 0.5, 0.4]
    final = phases_of(train, test).labels
    for now in range(1, len(train)):
        so_far = phases_of(train[:now], test[:now]).labels
        changed = [(a, b) for a, b in zip(so_far, final, strict=False) if a != b]
        assert changed in ([], [("grokking", "anti-grokking")])  # the first fallen checkpoint waits for a second


@pytest.mark.parametrize("train", [[np.nan] * 3, [1.0, np.nan, 1.0]])
def test_missing_accuracies_are_unknown(train: list[float]) -> None:
    seen = phases_of(train, [0.2, 0.5, 0.6])
    assert [label == "unknown" for label in seen.labels] == [bool(np.isnan(value)) for value in train]


def test_an_empty_run_has_no_phases() -> None:
    assert phases_of([], []).labels == ()


def test_thresholds_are_parameters() -> None:
    train, test = [1.0, 1, 1, 1], [0.2, 0.25, 0.30, 0.32]
    assert set(phases_of(train, test).labels) == {"pre-grokking", "grokking"}
    assert set(phases_of(train, test, rise=0.5).labels) == {"pre-grokking"}


def test_the_reference_trajectory_memorises_groks_and_collapses(reference_dir: Path) -> None:
    table = read_metrics(reference_dir / "metrics.csv")
    steps = np.array(sorted(table))
    train, test = (np.array([table[s][name] for s in steps]) for name in ("train_accuracy", "test_accuracy"))
    seen = observe(train, test)
    assert None not in (seen.memorised, seen.onset, seen.peak, seen.collapse)
    memorised, onset, peak, collapse = (
        int(steps[index]) for index in (seen.memorised, seen.onset, seen.peak, seen.collapse) if index is not None
    )
    assert 2_000 <= memorised <= 4_000
    assert 3e4 < onset < 1e5
    assert 4e5 < peak < 7e5
    assert 1e6 < collapse < 2.1e6
