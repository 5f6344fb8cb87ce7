"""The paper from one command: its numbers are those of `show --json`, its page needs nothing from anywhere."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from grokscope_train.config import TrainConfig
from typer.testing import Result

from grokscope.analysis import Parameters, analyze
from grokscope.experiments import is_the_papers
from grokscope.published import ALPHA, KS, KS_EIGENVALUES
from grokscope.report.p_values import p_words
from grokscope.report.page import report_of, write_report
from grokscope.report.pictures import Source
from grokscope.report.tables import right_edges, tables
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.spectra.kolmogorov import naive_p

TRAIN = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
TEST = (0.2, 0.2, 0.6, 0.9, 0.6, 0.5)
STEPS = (0, 10, 100, 1000, 3000, 10000)


def write_run(path: Path, seed: int, decay: float, test: tuple[float, ...] = TEST) -> Path:
    """A run of two layers that by default generalises at step 100 and collapses from 3000 on, analysed."""
    rng = np.random.default_rng(seed)
    layers = [LayerSpec("fc1", (20, 40), bias=False), LayerSpec("fc2", (20, 20), bias=False)]
    config = {"seed": seed, "weight_decay": decay}
    with RunWriter.create(path, steps=STEPS, layers=layers, metrics=["train_accuracy", "test_accuracy"],
                          config=config, origin="a test") as writer:  # fmt: skip
        for index, accuracies in enumerate(zip(TRAIN, test, strict=True)):
            weights = {layer.name: rng.normal(size=layer.shape) for layer in layers}
            metrics = dict(zip(("train_accuracy", "test_accuracy"), accuracies, strict=True))
            writer.commit(index, weights=weights, biases={}, metrics=metrics)
    analyze(Run(path), parameters=Parameters(permutations=3, null_draws=100))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds without decay and one with it."""
    folder = tmp_path_factory.mktemp("runs")
    wanted = (("a.h5", 0, 0.0), ("b.h5", 1, 0.0), ("c.h5", 0, 0.01))
    return [write_run(folder / name, seed, decay) for name, seed, decay in wanted]


@pytest.fixture(scope="module")
def folder(
    runs: list[Path], tmp_path_factory: pytest.TempPathFactory,
    grokscope_here: Callable[..., Result],
) -> Path:  # fmt: skip
    """The report of the runs, written by the command."""
    folder = tmp_path_factory.mktemp("report") / "out"
    done = grokscope_here("report", *runs, "-o", folder)
    assert (done.exit_code, done.stdout.strip()) == (0, str(folder / "report.html")), done.stderr
    return folder


def test_the_right_edge_of_a_phase_is_its_last_checkpoint(runs: list[Path]) -> None:
    assert right_edges(Source.open(runs[0])) == {"pre-grokking": 1, "grokking": 3, "anti-grokking": 5}


def test_the_tables_hold_the_numbers_of_show(
    runs: list[Path], folder: Path, grokscope_here: Callable[..., Result]
) -> None:
    """α, traps, σ_mp, D and p at the right edges, one value a run, from `show --json` at those steps."""
    shown = {
        (run.name, step): json.loads(grokscope_here("show", run, "--step", str(step), "--json").stdout)
        for run in runs[:2] for step in (10, 10000)
    }  # fmt: skip
    found = {table["table"]: table["rows"] for table in json.loads((folder / "report.json").read_text())["tables"]}
    keys = {1: {"values": "alpha", "alpha_p": "alpha_p"},
            2: {"values": "num_traps", "weightwatcher": "num_traps_weightwatcher", "shown": "num_traps_shown"},
            4: {"sigma_mp": "sigma_mp", "ks_distance": "ks_distance", "ks_p": "ks_p"}}  # fmt: skip
    for phase, step in (("pre-grokking", 10), ("anti-grokking", 10000)):
        for layer in (0, 1):
            name = f"fc{layer + 1}"
            for table, columns in keys.items():
                (row,) = [r for r in found[table] if (r["experiment"], r["phase"], r["layer"])
                          == ("weight_decay 0.0", phase, name)]  # fmt: skip
                assert row["steps"] == [step, step]
                for column, key in columns.items():
                    expected = [shown[run.name, step]["layers"][layer][key] for run in runs[:2]]
                    assert row[column] == expected


def test_traps_by_entries_stand_beside_all_traps_of_the_same_permutation() -> None:
    """Of a small layer the median over permutations is 1.5 and the one that is shown has 3, all by entries."""
    (table,) = [table for table in tables([]) if table.number == 2]
    (write,) = [write for title, write in table.columns if title == "by entries"]
    assert write({"values": [1.5], "entry_traps": [3.0], "shown": [3.0]}) == "3 of 3"
    assert write({"values": [], "entry_traps": [], "shown": []}) == "–"


def test_the_widest_interval_stands_beside_an_alpha_of_several_runs(runs: list[Path], folder: Path) -> None:
    rows = json.loads((folder / "report.json").read_text())["tables"][0]["rows"]
    sources = [Source.open(run) for run in runs[:2]]
    row = next(r for r in rows if (r["phase"], r["layer"], r["runs"]) == ("grokking", "fc1", 2))
    for name, widest in (("alpha_low", min), ("alpha_high", max)):
        assert row[name] == widest(float(source.timeline.measure(name, "fc1")[3]) for source in sources)


OTHERWISE = {
    "weight_decay": 0.01, "init_scale": 1.0, "lr": 0.05, "activation": "tanh", "random_labels": True, "eps": 1e-4,
    "freeze": "fc1", "batch_size": 7, "branch": "kept state", "dtype": "float32",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("steps", 1), ("store_dtype", "float64"), *OTHERWISE.items()])
def test_published_values_stand_beside_the_papers_experiment_alone(name: str, value: object) -> None:
    papers = {option: str(default) for option, default in asdict(TrainConfig()).items()}
    assert is_the_papers(papers | {name: str(value)}) is (name not in OTHERWISE)


@pytest.mark.parametrize(
    ("test", "where"),
    [(TEST, "the right edge of grokking"), ((0.2,) * 6, "the right edge of pre-grokking"),
     ((math.nan,) * 6, "the last checkpoint")],
)  # fmt: skip
def test_the_spectra_are_said_to_be_where_they_are(tmp_path: Path, test: tuple[float, ...], where: str) -> None:
    """Of a run that never grokked, too."""
    report = report_of([Source.open(write_run(tmp_path / "a.h5", 0, 0.0, test))])
    (caption,) = [picture.caption for picture in report.pictures if picture.number == 2]
    assert caption.startswith(f"fc1 of a.h5 at {where}: ")


def test_names_are_text_on_the_page(tmp_path: Path) -> None:
    """Whatever a file is called."""
    run = write_run(tmp_path / "a<b>&\x9b\n.h5", 0, 0.0)
    written = write_report(report_of([Source.open(run)]), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("a&lt;b&gt;&amp;·") > 10
    assert "a<b>" not in page
    for path in written:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert all(line.isprintable() for line in lines)
        assert path.suffix != ".md" or not any(line.startswith(".h5") for line in lines)


def test_seeds_are_averaged_and_their_p_values_combined(runs: list[Path]) -> None:
    """As numpy and scipy have it; the run with decay stands apart."""
    first, _, fourth = tables([Source.open(run) for run in runs])
    row = next(row for row in first.rows if row["phase"] == "grokking" and row["layer"] == "fc1")
    assert row["mean"] == pytest.approx(np.mean(row["values"]))
    assert row["sd"] == pytest.approx(np.std(row["values"], ddof=1))
    average = next(row for row in first.rows if row["phase"] == "grokking" and row["layer"] == "average")
    layers = [row["values"] for row in first.rows if row["phase"] == "grokking" and row["layer"] != "average"][:2]
    np.testing.assert_allclose(average["values"], np.mean(layers, axis=0))
    row = next(row for row in fourth.rows if row["layer"] == "fc1")
    assert row["combined_ks_p"] == pytest.approx(scipy.stats.combine_pvalues(row["ks_p"]).pvalue)
    assert row["ks_p_naive"] == pytest.approx([naive_p(distance, 20) for distance in row["ks_distance_shown"]])
    assert {row["experiment"] for row in first.rows} == {"weight_decay 0.0", "weight_decay 0.01"}
    assert {row["runs"] for row in first.rows if row["experiment"] == "weight_decay 0.01"} == {1}


@pytest.mark.parametrize(
    ("values", "draws", "words"),
    [
        ([0.25], 4000, "0.250"),
        ([0.25, 0.75], 4000, "0.501 (0 of 2 < .05)"),
        ([1 / 4001, 0.5], 4000, "≤0.001 (1 of 2 < .05)"),
        ([], 4000, "–"),
    ],
)
def test_p_values_in_words(values: list[float], draws: int, words: str) -> None:
    """One as it is; several by Fisher, a bound where one of them is."""
    assert p_words(values, draws) == words


def test_the_page_needs_nothing_from_anywhere(folder: Path) -> None:
    """Every picture and style is inside, there is no script, and all seven figures and three tables are there."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert re.search(r"<script|@import|url\(", page) is None
    assert page.count("<figure>") == 7
    assert page.count("<table>") == 3
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    for name in re.findall(r"\]\(([^)]*)\)", markdown):
        assert (folder / name).is_file()


def test_the_csv_files_hold_the_rows_of_the_json(folder: Path) -> None:
    for table in json.loads((folder / "report.json").read_text())["tables"]:
        with (folder / f"table-{table['table']}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["layer"] for row in rows] == [row["layer"] for row in table["rows"]]
        assert len(rows) >= 12


def test_published_values_that_cannot_be_are_noted() -> None:
    """α is above 1 in every fit; the printed p is not that of the printed distance at 200 eigenvalues."""
    assert float(ALPHA["anti-grokking", "fc1"].text) < 1
    assert "no mean of fits" in ALPHA["anti-grokking", "fc1"].note
    known = KS["anti-grokking"]
    assert naive_p(known.distance, KS_EIGENVALUES) == pytest.approx(
        scipy.stats.kstwo.sf(known.distance, KS_EIGENVALUES), rel=1e-6
    )
    assert naive_p(known.distance, KS_EIGENVALUES) < 1e-10 * float(known.p)


def test_the_terminal_gets_the_tables_too(runs: list[Path], grokscope_here: Callable[..., Result]) -> None:
    """Whole rows, whatever their width, and no escape sequence in a pipe."""
    done = grokscope_here("report", *runs)
    assert done.exit_code == 0, done.stderr
    assert "Table 1: power-law exponent" in done.stdout
    assert "\x1b" not in done.stdout
    assert re.search(r"weight_decay 0\.0 +grokking +1,000 +fc1 ", done.stdout)
