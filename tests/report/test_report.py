"""What is averaged in a report and what is not, and how its numbers are written."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis import Spectra
from grokscope.analysis.checkpoint import describe_checkpoint
from grokscope.analysis.timeline import read_timeline
from grokscope.cli.tables import checkpoint_text
from grokscope.errors import UsageError
from grokscope.figures import PANELS
from grokscope.figures.data import Span
from grokscope.numbers import mean_text, probability
from grokscope.phases import NO_PHASE
from grokscope.report import RunReport, refuse_twice, report_text, run_report
from grokscope.report.pictures import KINDS, Source, figures_of
from grokscope.report.table import Table
from grokscope.report.text import confusion_lines, table_text
from grokscope.runfile import LayerSpec, Run, RunWriter
from tests.conftest import ROOT


def test_the_table_of_labels_has_the_observed_ones_in_its_rows() -> None:
    counts = {("grokking", "anti-grokking"): 3, ("pre-grokking", "grokking"): 5}
    title, columns, *table = confusion_lines(counts, "observed (rows)")
    assert (title, columns.split()) == ("observed (rows)", ["grokking", "anti-grokking"])
    assert [row.split() for row in table] == [["pre-grokking", "5", "0"], ["grokking", "0", "3"]]


def report(name: str, last: Mapping[str, float], *, measured: bool = True, **experiment: str) -> RunReport:
    """A report with one event, named after its file."""
    return RunReport(
        path=Path(f"{name}.h5"),
        uuid=name,
        events={"last": last},
        phases=[],
        confusion={("grokking", "grokking"): 1} if measured else {},
        experiment=experiment or {"lr": "0.1"},
        null_draws={"fc1": 4000, "fc3": 16_000},
    )


def rows(text: str) -> dict[str, list[list[str]]]:
    """The cells of all lines, by their first words."""
    found: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        name, *cells = line.split("  ")
        found.setdefault(name, []).append([cell.strip() for cell in cells if cell.strip()])
    return found


def test_seeds_of_one_experiment_are_averaged_and_other_experiments_stand_apart() -> None:
    reports = [
        report("a", {"step": 10, "fc1 alpha": 2.0}, lr="0.1", steps="10"),
        report("c", {"step": 10, "fc1 alpha": 9.0}, lr="0.2", steps="10"),
        report("b", {"step": 10, "fc1 alpha": 4.0}, lr="0.1", steps="10"),
    ]
    text = report_text(reports)
    assert "over 2 runs: a.h5, b.h5\nlr 0.1\n" in text
    assert "\nc.h5\nlr 0.2\n" in text
    assert rows(text)["fc1 alpha"] == [["3.000 ± 1.414"], ["9"]]


def test_a_p_value_is_a_bound_by_the_draws_of_its_own_layer() -> None:
    p = {"fc1 ks_p": 1 / 4001, "fc3 ks_p": 2 / 16_001, "fc3 alpha_p": 1 / 1001}
    found = rows(report_text([report("a", p)]))
    assert [found[name] for name in p] == [[["<2.5e-4"]], [["1e-4"]], [["<0.001"]]]


def test_a_run_report_takes_the_seed_and_the_place_for_no_difference(tmp_path: Path) -> None:
    def experiment(shape: tuple[int, int], **config: object) -> Mapping[str, str]:
        path = tmp_path / "run.h5"
        layers = [LayerSpec("fc1", shape, bias=False)]
        RunWriter.create(
            path, steps=[0], layers=layers, metrics=[], config=config, origin="t", overwrite=True
        ).close()
        return run_report(Run(path), Spectra(Run(path))).experiment

    one = experiment((2, 3), lr=0.1, seed=0, threads=1, data_dir=None)
    assert experiment((2, 3), lr=0.1, seed=1, threads=2, data_dir="there") == one
    assert experiment((2, 3), lr=0.2, seed=0) != one
    assert experiment((3, 2), lr=0.1, seed=0) != one


def test_where_training_images_are_lost_too_every_surface_says_so(tmp_path: Path) -> None:
    train, test = [1.0, 1.0, 1.0, 1.0, 0.4, 0.3], [0.1, 0.5, 0.9, 0.5, 0.4, 0.3]
    layer, names = LayerSpec("fc1", (2, 3), bias=False), ["train_accuracy", "test_accuracy"]
    with RunWriter.create(
        tmp_path / "run.h5", steps=range(6), layers=[layer], metrics=names, config={}, origin="t"
    ) as writer:
        for index, accuracies in enumerate(zip(train, test, strict=True)):
            values = dict(zip(names, accuracies, strict=True))
            writer.commit(index, {"fc1": np.ones((2, 3))}, {}, values)
    run = Run(tmp_path / "run.h5")
    spectra = Spectra(run)
    made = run_report(run, spectra)
    assert made.phases[-2:] == [("anti-grokking", 3, 3), ("undecided", 4, 5)]
    assert (made.events["collapse"]["step"], made.events["forgotten"]["step"]) == (3, 4)
    assert f"  undecided     steps 4 to 5: {NO_PHASE}\n" in report_text([made])
    assert [event.text for event in read_timeline(run, spectra).events][-2:] == ["anti-grokking begins", NO_PHASE]
    described = describe_checkpoint(run, 5)
    counts = ("num_tail", "num_zero", "null_draws", "permutations")
    assert [described["layers"][0][name] for name in counts] == [None] * 4  # a layer that is not measured
    shown = checkpoint_text(described)
    assert f"observed: undecided ({NO_PHASE})" in shown
    assert "–––" not in shown  # one mark for an interval that is not known
    [accuracy] = figures_of("accuracy", [Source.of(run)])
    assert [mark.role for mark in accuracy.of(Span)][-2:] == ["anti-grokking", "undecided"]


def test_the_help_names_every_figure_over_time() -> None:
    assert KINDS.keys() >= PANELS.keys()
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    (row,) = [line for line in commands.splitlines() if line.startswith("| `KIND` |")]
    assert [kind for kind in KINDS if f" {kind}," not in row] == []


def test_strangers_are_never_averaged() -> None:
    """Nothing is known of what made two files of the same layers; both are named."""
    strangers = [replace(report(name, {"step": 10}), experiment={"layers": "fc1 2×3"}) for name in "ab"]
    text = report_text(strangers)
    assert "mean" not in text
    assert [line for line in text.splitlines() if line in ("a.h5", "b.h5")] == ["a.h5", "b.h5"]


def test_the_same_run_is_not_counted_twice() -> None:
    with pytest.raises(UsageError, match=r"a\.h5 and a\.h5 are the same run"):
        refuse_twice([report("a", {}), report("b", {}), report("a", {})])


def test_a_mean_over_fewer_runs_than_got_there_says_so() -> None:
    reports = [report(name, {"step": 10, "fc1 alpha": alpha}) for name, alpha in (("a", 2.5), ("b", math.nan))]
    assert rows(report_text(reports))["fc1 alpha"] == [["2.5 (n 1)"]]
    assert rows(report_text(reports))["step"] == [["10 ± 0"]]


def test_a_run_that_is_not_analysed_has_no_empty_rows() -> None:
    text = report_text([report("a", {"step": 10, "fc1 alpha": math.nan}, measured=False)])
    assert "alpha" not in text


@pytest.mark.parametrize(
    ("width", "experiments", "header"),
    [
        (math.inf, "aa", "experiment  phase  interval    published"),
        (40, "aa", "experiment  phase  interval    published"),
        (39, "aa", "phase    interval  published"),
        (28, "aa", "phase    interval  published"),
        (27, "aa", "phase    interval"),
        (5, "aa", "phase    interval"),
        (39, "ab", "experiment  phase  interval"),
    ],
)
def test_where_there_is_no_room_columns_are_left_out_and_no_number_is_broken(
    width: float, experiments: str, header: str
) -> None:
    names = ("experiment", "phase", "interval", "published")
    columns = tuple((name, operator.itemgetter(name)) for name in names)
    cells = [(experiment, "late", "3.25–22.25", "0.9") for experiment in experiments]
    rows = tuple(dict(zip(names, row, strict=True)) for row in cells)
    lines = table_text(Table(1, "α", rows, columns, ("a note",)), width).splitlines()
    assert " ".join(lines[3].split()) == " ".join(header.split())
    assert all("  3.25–22.25" in line for line in lines[4:6])


def test_a_p_value_at_its_bound_is_said_to_be_below() -> None:
    assert rows(report_text([report("a", {"fc1 ks_p": 1 / 4001})]))["fc1 ks_p"] == [["<2.5e-4"]]
    both = [report("a", {"fc1 ks_p": 1 / 4001}), report("b", {"fc1 ks_p": 1 / 4001})]
    assert rows(report_text(both))["fc1 ks_p"] == [["≤1e-6 (2 of 2 < .05)"]]
    other = [report("a", {"fc1 ks_p": 0.25}), report("b", {"fc1 ks_p": 0.75})]
    assert rows(report_text(other))["fc1 ks_p"] == [["0.501 (0 of 2 < .05)"]]


@pytest.mark.parametrize(
    ("p", "draws", "text"),
    [(1 / 2001, 2000, "<5e-4"), (0.25, 2000, "0.250"), (None, 2000, "–"), (np.float64(0), 0, "<1e-99")],
)
def test_the_smallest_p_is_said_to_be_below(p: float | None, draws: int, text: str) -> None:
    assert probability(p, draws) == text


@pytest.mark.parametrize(
    ("values", "whole", "text"),
    [
        ([42170.0, 31623.0], True, "36,896 ± 7,458"),
        ([749894.0, 562341.0], False, "656,118 ± 132,620"),
        ([0.8791, 0.9185], False, "0.8988 ± 0.0279"),
        ([32.0, 32.0], False, "32 ± 0"),
        ([0.0, 0.0], False, "0 ± 0"),
        ([0.00002, 0.00003], False, "2.500e-05 ± 7.071e-06"),
        ([-3.0, 3.0], False, "0.000 ± 4.243"),
        ([24690.5], False, "24,690"),
        ([0.0686], False, "0.0686"),
        ([], False, "–"),
    ],
)
def test_mean_and_deviation_are_written_alike(values: list[float], whole: bool, text: str) -> None:
    assert mean_text(values, whole=whole) == text


def test_a_run_of_an_older_version_had_the_defaults_of_what_it_does_not_say(tmp_path: Path) -> None:
    """So that old and new seeds of one experiment are averaged; another origin says all that it is."""

    def experiment(origin: str, **config: object) -> Mapping[str, str]:
        layers = [LayerSpec("fc1", (2, 3), bias=False)]
        path = tmp_path / "run.h5"
        RunWriter.create(
            path, steps=[0], layers=layers, metrics=[], config=config, origin=origin, overwrite=True
        ).close()
        return run_report(Run(path), Spectra(Run(path))).experiment

    old = experiment("grokscope train", lr=0.1)
    assert experiment("grokscope train", lr=0.1, train_images="stratified", random_labels=False) == old
    assert experiment("grokscope train", lr=0.1, train_images="first") != old
    assert "train_images" not in experiment("a loop", lr=0.1)


def test_alpha_has_its_interval_and_its_chance_under_noise_beside_it() -> None:
    one = {"fc1 alpha": 2.3125, "fc1 alpha_low": 1.91, "fc1 alpha_high": 2.84, "fc1 alpha_p": 1 / 1001}
    other = {"fc1 alpha": 2.5, "fc1 alpha_low": 1.7, "fc1 alpha_high": 2.7, "fc1 alpha_p": 0.5}
    assert rows(report_text([report("a", one)]))["fc1 alpha"] == [["2.312 [1.9, 2.8]"]]
    assert rows(report_text([report("a", one)]))["fc1 alpha_p"] == [["<0.001"]]
    both = rows(report_text([report("a", one), report("b", other)]))
    assert both["fc1 alpha"][0][0].endswith("[1.7, 2.8]")
    assert both["fc1 alpha_p"] == [["≤0.004 (1 of 2 < .05)"]]
    assert "fc1 alpha_low" not in both
