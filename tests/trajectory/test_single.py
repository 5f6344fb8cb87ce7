"""A single model: its layers, those that look worst first, as text, JSON, CSV, page and figure; never a phase."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import grokscope
from grokscope.analysis import Spectra
from grokscope.analysis.profile import profile_rows, worst_first
from grokscope.figures import Curve, Points, profile
from grokscope.spectra import LayerSpectrum
from grokscope.trajectory import open_trajectory
from tests.trajectory.models import HEAVY, PLANTED, tiny_gpt2

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, grokscope_here: Command) -> Path:
    """GPT-2 of transformers, with an accuracy beside it, measured by the command."""
    folder = tiny_gpt2(tmp_path_factory.mktemp("single") / "tiny")
    (folder / "metrics.csv").write_text("step,train_accuracy,test_accuracy\n0,1.0,0.99\n")
    done = grokscope_here("analyze", folder, "-j", "1", "--permutations", "3", "--null-draws", "200")
    assert done.exit_code == 0, done.stderr
    return folder


def test_show_has_the_worst_layers_first_and_no_phase(model: Path, grokscope_here: Command) -> None:
    shown = grokscope_here("show", model).stdout
    assert "observed: unknown   weights say: unknown" in shown
    assert "one checkpoint alone has no history" in shown
    rows = [line.split()[0] for line in shown.split("layer   ")[1].splitlines()[1:] if "×" in line]
    assert set(rows[:2]) == {HEAVY, PLANTED}
    by_depth = grokscope_here("show", model, "--order", "depth").stdout
    depth = [line.split()[0] for line in by_depth.split("layer   ")[1].splitlines()[1:] if "×" in line]
    assert depth == [layer.name for layer in open_trajectory(model).layers]
    assert "transformer.wte: may be an embedding" in shown


def test_json_and_csv_have_every_layer_with_its_depth_and_rank(model: Path, grokscope_here: Command) -> None:
    described = json.loads(grokscope_here("show", model, "--json").stdout)
    assert described["single"]
    assert described["phase"]["observed"] == described["phase"]["inferred"] == "unknown"
    assert [layer["depth"] for layer in described["layers"]] == list(range(len(described["layers"])))
    exported = list(csv.DictReader(io.StringIO(grokscope_here("export", model).stdout)))
    reported = json.loads(grokscope_here("report", model, "--json").stdout)[0]
    assert reported["phases"] == [{"label": "unknown", "first": 0, "last": 0}]
    for layer, row, other in zip(described["layers"], exported, reported["layers"], strict=True):
        assert (
            (layer["name"], layer["worst"])
            == (row["layer"], int(row["worst"]))
            == (other["layer"], other["worst"])
        )
        for name in ("alpha", "alpha_low", "alpha_high", "alpha_p", "norm", "num_traps", "ks_p"):
            assert layer[name] == float(row[name]) == other[name]
        assert layer["verdict"] == row["verdict"] == other["verdict"]
    metrics = grokscope_here("export", model, "--metrics-only").stdout
    assert metrics.startswith("step,wall_time,test_accuracy,train_accuracy")


def test_the_report_is_the_layer_profile_as_text_and_as_a_page(
    model: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    text = grokscope_here("report", model).stdout
    assert "one checkpoint has no history" in text
    assert text.index(HEAVY) < text.index("transformer.wte")
    assert "grokking" not in text
    done = grokscope_here("report", model, "-o", tmp_path / "page")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "page" / "report.html").read_text()
    assert HEAVY in page
    assert page.count("<figure>") == 2
    table = list(csv.DictReader((tmp_path / "page" / "table-5.csv").open()))
    assert [int(row["worst"]) for row in table] == list(range(1, len(table) + 1))


def test_the_figure_has_each_alpha_at_its_depth(model: Path, grokscope_here: Command) -> None:
    (figure,) = json.loads(grokscope_here("plot", model, "profile", "--json").stdout)
    rows = list(profile_rows(Spectra(open_trajectory(model))))
    points = {x: y for mark in figure["marks"] if mark["kind"] == "points" for x, y in zip(mark["x"], mark["y"])}  # noqa: B905
    assert points == {row["depth"] + 1: row["alpha"] for row in rows}
    assert "α of each layer" in grokscope_here("plot", model, "profile").stdout


def test_the_notebook_opens_a_model_and_a_folder(model: Path, tmp_path: Path) -> None:
    opened = grokscope.open(model)
    assert opened.phases["observed"].to_list() == ["unknown"]
    assert opened.spectra.loc[0, HEAVY]["alpha"] > 1
    for name in ("a1_b2.safetensors", "a3_b4.safetensors"):
        (tmp_path / name).write_bytes((model / "model.safetensors").read_bytes())
    assert grokscope.open(tmp_path, step_regex=r"b(\d)").steps.tolist() == [2, 4]


def spectrum(verdict: str, alpha: float, traps: float = 0.0, reason: str = "") -> LayerSpectrum:
    """A layer of which only what decides is known."""
    return LayerSpectrum(
        "x", (9, 9), reason, verdict=verdict, alpha=alpha, num_traps=traps, alpha_low=alpha / 2, alpha_high=99.0
    )


def test_what_looks_worst_comes_first() -> None:
    layers = [
        None, spectrum("well-trained", 3), spectrum("undecided", 5), spectrum("like noise", 9),
        spectrum("under-trained", 8), spectrum("undecided", 3, traps=2), spectrum("over-trained", 1.8),
        spectrum("over-trained", 1.2), spectrum("not measured", np.nan, reason="an embedding"),
        spectrum("well-trained", 4, traps=5),
    ]  # fmt: skip
    assert worst_first(layers) == [7, 6, 9, 5, 4, 3, 2, 1, 0, 8]


def test_intervals_never_squeeze_the_alphas_together() -> None:
    """A profile's axis ends near its alphas, whose intervals go on; a layer without one is a gap."""
    figure = profile([spectrum("undecided", 2.0), None, spectrum("undecided", 4.0)])
    assert figure.y.high < 10
    (strokes,) = figure.of(Curve)
    assert isinstance(strokes, Curve)
    np.testing.assert_array_equal(strokes.y, [1.0, 99.0, *[np.nan] * 4, 2.0, 99.0, np.nan])
    (points,) = figure.of(Points)
    assert isinstance(points, Points)
    assert points.x.tolist() == [1.0, 3.0]
    assert profile([None]).reason
