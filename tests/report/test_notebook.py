"""`grokscope.open`: the same numbers as `show --json`, as frames; figures as matplotlib's or as text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from typer.testing import Result

import grokscope
from grokscope.errors import UsageError
from grokscope.report.pictures import KINDS
from tests.report.test_page import STEPS, TEST, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run, analysed."""
    return write_run(tmp_path_factory.mktemp("notebook") / "a.h5", 0, 0.0)


def test_frames_hold_the_numbers_of_show(run: Path, grokscope_here: Callable[..., Result]) -> None:
    """By step, and by step and layer."""
    opened = grokscope.open(run)
    assert opened.metrics["test_accuracy"].to_list() == list(TEST)
    assert opened.metrics.index.to_list() == list(STEPS)
    assert opened.phases["observed"].to_list() == ["pre-grokking"] * 2 + ["grokking"] * 2 + ["anti-grokking"] * 2
    shown = json.loads(grokscope_here("show", run, "--step", "1000", "--json").stdout)
    for layer in shown["layers"]:
        row = opened.spectra.loc[1000, layer["name"]]
        for name in ("alpha", "num_traps", "ks_p", "norm", "num_signal"):
            assert row[name] == layer[name]
    assert opened.phases["inferred"][1000] == shown["phase"]["inferred"]
    assert opened.layers.loc["fc1", "shape"] == (20, 40)
    assert len(opened.spectra) == 2 * len(STEPS)


def test_a_weight_is_that_of_its_step(run: Path) -> None:
    """And a step without a checkpoint is refused, with the nearest ones."""
    opened = grokscope.open(run)
    np.testing.assert_array_equal(opened.weight(100, "fc2"), grokscope.Run(run).weight(2, "fc2"))
    with pytest.raises(UsageError, match="no checkpoint at step 101; the nearest are at 100, 10"):
        opened.weight(101, "fc2")
    with pytest.raises(UsageError, match="has no layer fc9"):
        opened.weight(100, "fc9")


def test_figures_are_matplotlibs_or_text(run: Path) -> None:
    opened = grokscope.open(run)
    page = opened.figure("esd", layer="fc2", step=100)
    assert isinstance(page, matplotlib.figure.Figure)
    assert "ESD fc2 · a.h5 step 100" in page.axes[0].get_title(loc="left")
    text = opened.figure("alpha", text=True, size=(60, 16))
    assert isinstance(text, str)
    assert text.count("\n") == 15


@pytest.mark.parametrize("kind", [*KINDS, "ks_p_naive", "test_accuracy"])
def test_every_kind_is_a_page_and_a_text(run: Path, kind: str) -> None:
    """By the names of `grokscope plot`, with the same panels in both."""
    opened = grokscope.open(run)
    page, text = opened.figure(kind), opened.figure(kind, text=True)
    assert isinstance(page, matplotlib.figure.Figure)
    assert isinstance(text, str)
    titles = [axes.get_title(loc="left") for axes in page.axes]
    assert any(titles)
    assert all(title in text for title in titles)


def test_it_shows_itself(run: Path) -> None:
    """In one line, and as a table in a notebook."""
    opened = grokscope.open(run)
    assert repr(opened) == "a.h5: 6 checkpoints, steps 0 to 10,000; fc1, fc2"
    assert "<td>fc2</td><td>20×20</td><td>6 of 6</td>" in opened._repr_html_()


def test_without_pandas_the_rest_works(run: Path) -> None:
    """One sentence says what to install."""
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        f"import grokscope; opened = grokscope.open({str(run)!r})\n"
        "print(opened.figure('esd', text=True)[:7], opened.weight(100, 'fc1').shape)\n"
        "try: opened.metrics\n"
        "except grokscope.GrokscopeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ESD fc1 (20, 40)\ndata frames need pandas; install it by `pip install pandas`\n", (
        done.stderr
    )
