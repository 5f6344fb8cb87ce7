"""Every command that reads a damaged checkpoint names it and says nothing else of it."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.analysis import Parameters, analyze
from grokscope.analysis.timeline import read_timeline
from grokscope.notebook import Opened
from grokscope.runfile import Run

DAMAGED = 6
NAMED = "checkpoint 6 (step"


@pytest.fixture(scope="module")
def damaged(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was analysed when it was whole; then a prediction, which the CRC covers, was changed."""
    path = Path(shutil.copy(trained_run, tmp_path_factory.mktemp("damaged") / "run.h5"))
    analyze(Run(path), parameters=Parameters(permutations=2, null_draws=50))
    with h5py.File(path, "r+") as file:
        file["test_predictions"][DAMAGED] += 100
    return path


@pytest.fixture
def said(damaged: Path, grokscope_here: Callable[..., Result]) -> Callable[..., Result]:
    """Run a command with the run's path and the damaged checkpoint's step among its words."""
    step = Run(damaged).steps[DAMAGED]
    return lambda *words: grokscope_here(*(word.format(path=damaged, step=step) for word in words))


@pytest.mark.parametrize(
    "words",
    [
        ("show", "{path}", "--step", "{step}"),
        ("show", "{path}", "--step", "{step}", "--without-trap", "1"),
        ("plot", "{path}", "esd", "--step", "{step}"),
        ("plot", "{path}", "profile", "--step", "{step}"),
    ],
    ids=" ".join,
)
def test_what_is_asked_of_it_is_refused(said: Callable[..., Result], words: tuple[str, ...]) -> None:
    done = said(*words)
    assert done.exit_code == 2
    assert NAMED in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("check", "{path}"), 1),
        (("analyze", "{path}", "-j", "1"), 1),
        (("report", "{path}"), 0),
        (("evaluate", "{path}"), 0),
        (("plot", "{path}", "alpha"), 0),
        (("plot", "{path}", "classes"), 0),
        (("export", "{path}"), 0),
        (("export", "{path}", "--layers"), 0),
    ],
    ids=str,
)
def test_what_is_asked_of_all_goes_on_without_it(
    said: Callable[..., Result], words: tuple[str, ...], code: int
) -> None:
    done = said(*words)
    assert done.exit_code == code
    assert done.stderr.count(NAMED) == 1


def test_its_numbers_are_unknown(damaged: Path, said: Callable[..., Result]) -> None:
    rows = list(csv.DictReader(io.StringIO(said("export", "{path}").stdout)))
    assert [row["test_accuracy"] == "" for row in rows] == [index == DAMAGED for index in range(len(rows))]
    with pytest.warns(UserWarning, match="is damaged"):
        opened = Opened(damaged)
    assert list(opened.damaged) == [DAMAGED]
    assert np.flatnonzero(opened.metrics["test_accuracy"].isna()).tolist() == [DAMAGED]
    shares = read_timeline(opened._source.run, opened._source.spectra).predictions
    assert shares is not None
    assert np.flatnonzero(np.isnan(shares).any(axis=1)).tolist() == [DAMAGED]
