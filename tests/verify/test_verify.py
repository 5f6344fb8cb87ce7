"""`grokscope verify`: others' numbers beside ours, and what it says where they differ or cannot be had."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from grokscope.runfile import LayerSpec, RunWriter
from grokscope.verify import AGREES, CHECKS, DIFFERS, NOT_COMPARED, Comparison
from grokscope.verify.omnigrok import omnigrok
from grokscope.verify.start import start
from tests.conftest import ROOT

Command = Callable[..., Result]
PAPERS = {"dataset": "mnist", "width": 200, "depth": 3, "init_scale": 8.0, "train_points": 1000,
          "weight_decay": 0.0, "optimizer": "adamw", "loss": "mse"}  # fmt: skip
SHAPES = {"fc1": (200, 784), "fc2": (200, 200), "fc3": (10, 200)}


def write_run(path: Path, *, spoil: float = 0.0, **config: object) -> Path:
    """A run of Gaussian weights with the paper's configuration; `spoil` is added to some entries of fc1."""
    rng = np.random.default_rng(0)
    layers = [LayerSpec(name, shape, bias=False) for name, shape in SHAPES.items()]
    with RunWriter.create(path, steps=[0, 10, 1000], layers=layers, metrics=["train_accuracy", "test_accuracy"],
                          config=PAPERS | config, origin="grokscope train") as writer:  # fmt: skip
        for index, test in enumerate((0.1, 0.2, 0.9)):
            weights = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
            weights["fc1"][:, :20] += spoil
            writer.commit(index, weights=weights, biases={},
                          metrics={"train_accuracy": 1.0, "test_accuracy": test})  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("ours", "tolerance", "verdict"),
    [(1.05, 0.1, AGREES), (0.95, 0.1, AGREES), (1.2, 0.1, DIFFERS), (0.8, 0.1, DIFFERS), (math.nan, 0.1, DIFFERS),
     (1.0, None, NOT_COMPARED)],
)  # fmt: skip
def test_numbers_agree_within_their_tolerance(ours: float, tolerance: float | None, verdict: str) -> None:
    assert Comparison("x", ours, 1.0, tolerance, "a book").verdict == verdict


def test_the_start_is_what_closed_forms_say() -> None:
    """√8747 and the entropies at ×8; the norm that Appendix I prints is that of ×1.5, not of its ×4."""
    found = start()
    assert {one.verdict for one in found[:5]} == {AGREES}
    assert [round(one.theirs, -1 if one.theirs > 100 else 1) for one in found[:4]] == [93.5, 39260, 12100, 610]
    assert (found[4].what, found[4].theirs, found[5].verdict) == ("‖W‖ of all layers, ×1.5", 17.52, NOT_COMPARED)
    assert all(one.tolerance is None or one.tolerance < 0.03 * one.theirs for one in found)


def test_the_sample_run_has_the_papers_distances(tmp_path: Path, grokscope_here: Command) -> None:
    """Before the collapse all agree; at the collapse the run is shorter than the paper's, and that is said."""
    for name in ("mnist-wd0.h5", "mnist-wd0.spectra.h5"):
        shutil.copy(ROOT / "sample_runs" / name, tmp_path)
    run = tmp_path / "mnist-wd0.h5"
    done = grokscope_here("verify", "tables", "--run", run, "--json")
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert set(rows[0]) == {"check", "what", "ours", "theirs", "tolerance", "verdict", "source", "note"}
    before = [row for row in rows if "edge of pre-grokking" in row["what"] or "edge of grokking" in row["what"]]
    assert [row["verdict"] for row in before] == [AGREES] * 4
    after = [row for row in rows if row not in before]
    assert {row["verdict"] for row in after} == {NOT_COMPARED}
    assert all("this run ends at step 6,309,573" in row["note"] for row in after[:-1])
    assert after[-1]["ours"] == pytest.approx(6.1e-17, rel=0.01)  # scipy's kstwo.sf(.3044, 200)


def test_a_number_that_differs_is_exit_1(tmp_path: Path, grokscope_here: Command) -> None:
    """Shifted columns have other shuffled eigenvalues than the paper's networks."""
    done = grokscope_here("verify", "tables", "--run", write_run(tmp_path / "b.h5", spoil=5.0))
    assert done.exit_code == 1
    first = next(line for line in done.stdout.splitlines() if line.startswith("KS D"))
    assert first.endswith("differs")


def test_omnigroks_first_points(mnist_dir: Path) -> None:
    """Its first 1,000 images are memorised as fast as by its own code."""
    told: list[tuple[int, int]] = []
    (first,) = omnigrok(1_334, mnist_dir, lambda step, last: told.append((step, last)), threads=1)
    assert (first.what, first.theirs, first.verdict) == ("train accuracy at step 1,334", 0.949, AGREES)
    assert told[-1] == (1_334, 1_334)


@pytest.mark.torture
def test_omnigroks_quick_points(mnist_dir: Path) -> None:
    """What `grokscope verify omnigrok` compares."""
    assert {one.verdict for one in omnigrok(20_010, mnist_dir, lambda step, last: None)} == {AGREES}


def test_extremes_are_set_beside_a_run_that_is_shorter(tmp_path: Path, grokscope_here: Command) -> None:
    """The weights' own least and largest entries, compared with nothing before step 10⁷."""
    done = grokscope_here("verify", "extremes", "--run", write_run(tmp_path / "a.h5", spoil=7.0), "--json")
    rows = json.loads(done.stdout)
    assert [row["theirs"] for row in rows] == [-14.78, 5.67, -4.68, 1.11, -1.61, 2.56]
    assert {row["verdict"] for row in rows} == {NOT_COMPARED}
    assert rows[1]["ours"] > 9 > 6 > rows[3]["ours"] > 3
    assert -6 < rows[0]["ours"] < -3


def test_scales_compare_alpha_within_its_interval(tmp_path: Path, grokscope_here: Command) -> None:
    """The first point is where test accuracy reaches theirs; a run from another scale is refused."""
    done = grokscope_here("verify", "scales", "--run", write_run(tmp_path / "a.h5", init_scale=1.5), "--json")
    rows = json.loads(done.stdout)
    assert [row["what"].split(" (")[1] for row in rows[:6]] == ["1,000)"] * 6
    assert [row["verdict"] for row in rows[6:]] == [NOT_COMPARED] * 3
    assert rows[3]["verdict"] == AGREES  # .9 and .888
    other = grokscope_here("verify", "scales", "--run", write_run(tmp_path / "b.h5"))
    assert (other.exit_code, "an initial scale of 8.0" in other.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nonsense",), "there is no check nonsense; there are start, tables"),
     (("tables",), "there is no sample_runs/mnist-wd0.h5 here; name a run"),
     (("tables", "--run", "other.h5"), "is not the paper's experiment")],
)  # fmt: skip
def test_what_cannot_be_run_is_a_sentence(
    tmp_path: Path, grokscope_here: Command, arguments: tuple[str, ...], words: str
) -> None:
    """Exit code 2 where it was asked for by name."""
    write_run(tmp_path / "other.h5", weight_decay=0.01)
    done = grokscope_here("verify", *arguments, cwd=tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_nobody_named_and_cannot_be_run_is_passed_by_with_a_word(
    tmp_path: Path, grokscope_here: Command
) -> None:
    """Without the sample runs and without MNIST the rest is compared, and what is missing is said."""
    done = grokscope_here("verify", "--data-dir", tmp_path, cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("start ")
    assert "tables: not run: there is no sample_runs" in done.stderr
    assert "omnigrok: not run: no MNIST in" in done.stderr


def test_the_list_names_every_check_with_its_cost(grokscope_here: Command) -> None:
    """And runs none."""
    lines = grokscope_here("verify", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CHECKS)
    assert all(check.cost in line for check, line in zip(CHECKS.values(), lines, strict=True))
