"""Strain: against singular values of stored weights, and where it says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis import Spectra
from grokscope.analysis.evidence import read_evidence
from grokscope.phases.strain import strain
from grokscope.runfile import Run

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-wd0.h5"


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.open(SAMPLE)


def steepness(run: Run, index: int) -> float:
    """The product of the layers' largest singular values."""
    return float(np.prod([np.linalg.norm(run.weight(index, layer.name), 2) for layer in run.layers]))


def test_it_is_steepness_over_the_share_of_open_gates(run: Run) -> None:
    evidence = read_evidence(Spectra(run))
    first, last = evidence.layers[0], run.num_checkpoints - 1
    grown = steepness(run, last) / steepness(run, 0)
    expected = np.log2(grown / (first.live_rows[last] * first.lit[last]))
    assert strain(evidence)[last] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(strain(evidence)[0])  # gates take an earlier checkpoint


def test_it_says_nothing_of_other_units_or_outputs_that_may_grow_for_ever(run: Run) -> None:
    evidence = read_evidence(Spectra(run))
    for blind in ({"no_gates": "tanh"}, {"no_bound": "its loss is another"}):
        assert np.isnan(strain(replace(evidence, **blind))).all()
