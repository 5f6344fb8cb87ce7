"""The commands without a terminal: their results on stdout, their JSON as promised."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.cli.main import app
from grokscope.phases.gates import GATES
from grokscope.runfile import LayerSpec, Run, RunWriter

Command = Callable[..., Result]

LAYER_KEYS = {
    "name",
    "shape",
    "alpha",
    "alpha_sigma",
    "xmin",
    "xmax",
    "power_law_distance",
    "num_tail",
    "verdict",
    "sigma_mp",
    "lambda_plus",
    "ks_distance",
    "ks_p_naive",
    "ks_p",
    "ks_distance_bulk",
    "ks_p_bulk",
    "num_traps",
    "num_traps_min",
    "num_traps_max",
    "num_traps_weightwatcher",
    "traps",
    "norm",
    "abs_entropy",
    "mean",
    "std",
    "max_abs",
    "stable_rank",
}
INFO_KEYS = set(
    "uuid format_version origin created complete num_checkpoints steps layers config metrics".split()  # noqa: SIM905
)
COMMANDS = ["train", "analyze", "view", "show", "report", "info", "check", "import", "export", "compact"]
FAST = ("--permutations", "3", "--null-draws", "100", "--jobs", "1")


@pytest.fixture(scope="module")
def analysed(trained_run: Path, tmp_path_factory: pytest.TempPathFactory, grokscope_here: Command) -> Path:
    """The small trained run, analysed by the real command."""
    path = Path(shutil.copy(trained_run, tmp_path_factory.mktemp("analysed") / "run.h5"))
    done = grokscope_here("analyze", path, *FAST)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(path.with_name("run.spectra.h5"))
    return path


def test_several_runs_are_measured_in_turn_and_none_where_one_cannot_be_opened(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    runs = [Path(shutil.copy(trained_run, tmp_path / name)) for name in ("a.h5", "b.h5")]
    refused = grokscope_here("analyze", *runs, tmp_path / "none.h5", *FAST)
    assert (refused.exit_code, list(tmp_path.glob("*.spectra.h5"))) == (2, [])
    done = grokscope_here("analyze", *runs, *FAST)
    assert (done.exit_code, done.stdout.split()) == (0, [str(tmp_path / f"{name}.spectra.h5") for name in "ab"])


def test_that_weightwatcher_is_missing_is_said_before_anything_is_measured(
    trained_run: Path, tmp_path: Path, grokscope_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, there = shutil.copy(trained_run, tmp_path / "run.h5"), importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *of: None if name == "weightwatcher" else there(name, *of)
    )
    refused = grokscope_here("analyze", "--weightwatcher", run, *FAST)
    assert refused.exit_code == 2
    assert "--weightwatcher needs WeightWatcher" in refused.stderr
    assert not list(tmp_path.glob("*.spectra.h5"))


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("analyze", FAST),
        ("report", ()),
        ("evaluate", ()),
        ("plot", ("accuracy",)),
        ("view", ("--screenshot", "x.svg", "--size", "80x24")),
    ],
    ids=str,
)
def test_spectra_beside_their_run_are_no_run(
    command: str,
    after: tuple[str, ...],
    analysed: Path,
    grokscope_here: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `*.h5` names them; given alone they are refused."""
    spectra = analysed.with_name("run.spectra.h5")
    monkeypatch.chdir(tmp_path)
    done = grokscope_here(command, analysed, spectra, *after)
    assert done.exit_code == 0, done.stderr
    if command == "report":
        alone = grokscope_here(command, spectra)
        assert (alone.exit_code, "give the run file itself" in alone.stderr) == (2, True)


def parsed(done: Result) -> Any:
    """The command's JSON, which is all that it printed."""
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_info_json_keeps_its_keys(analysed: Path, grokscope_here: Command) -> None:
    info = parsed(grokscope_here("info", analysed, "--json"))
    assert set(info) >= INFO_KEYS
    assert info["complete"] is True
    assert info["num_checkpoints"] == len(info["steps"])
    assert info["layers"][0] == {"name": "fc1", "shape": [40, 64], "kind": "linear", "note": None}
    assert info["config"]["dataset"] == "digits"


def test_info_stands_in_columns_and_says_of_which_step_the_metrics_are(
    tmp_path: Path, grokscope_here: Command
) -> None:
    path = tmp_path / "run.h5"
    environment = {"numpy": "2", "python": "3.11"}
    config = {"a_name_that_is_longer_than_most_others": 8, "lr": 0.1, "environment": environment}
    with RunWriter.create(
        path, steps=[0, 1500], layers=[LayerSpec("fc1", (2, 3), bias=False)], metrics=["loss", "test_accuracy"],
        config=config, origin="t",
    ) as writer:  # fmt: skip
        for index in (0, 1):
            writer.commit(index, {"fc1": np.ones((2, 3))}, {}, {"loss": 0.5})
    text = grokscope_here("info", path).stdout
    assert "metrics at step 1,500\n  loss           0.5\n  test_accuracy  –\n" in text
    assert "\n  a_name_that_is_longer_than_most_others  8\n  lr                                      0.1\n" in text
    assert text.endswith("environment\n  numpy   2\n  python  3.11\n")


def test_show_json_keeps_its_keys(analysed: Path, grokscope_here: Command) -> None:
    shown = parsed(grokscope_here("show", analysed, "--step", "0.1k", "--json"))
    assert {"run", "uuid", "checkpoint", "num_checkpoints", "step", "metrics", "phase", "layers"} <= set(shown)
    assert shown["step"] == 100
    assert set(shown["phase"]) == {"observed", "inferred", "reasons"}
    assert {"train_accuracy", "test_accuracy", "train_loss", "test_loss"} <= set(shown["metrics"])
    assert [layer["name"] for layer in shown["layers"]] == ["fc1", "fc2", "fc3"]
    for layer in shown["layers"]:
        assert set(layer) >= LAYER_KEYS
    assert shown["no_gates"] is None
    assert shown["strain"] > 0
    assert shown["capacity"] > 0
    assert shown["capacity_grown"] >= 1
    gates = {layer["name"]: layer["gates"] for layer in shown["layers"]}
    assert gates["fc3"] is None  # outputs are no gates
    assert all(set(gates[name]) == set(GATES) and 0 < gates[name]["lit"] < 1 for name in ("fc1", "fc2"))


def test_show_takes_the_last_checkpoint_up_to_a_step(analysed: Path, grokscope_here: Command) -> None:
    assert parsed(grokscope_here("show", analysed, "--step", "299", "--json"))["step"] == 178
    assert parsed(grokscope_here("show", analysed, "--json"))["step"] == 300


def test_show_measures_what_is_not_measured(trained_run: Path, tmp_path: Path, grokscope_here: Command) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    shown = parsed(grokscope_here("show", path, "--json"))
    assert all(layer["norm"] > 0 for layer in shown["layers"])
    left = f"{shown['num_checkpoints'] - 3} of {shown['num_checkpoints']} checkpoints are not measured"
    note = f"run.h5: {left}; `grokscope analyze {path}` measures them\n"
    for command in (("report",), ("evaluate", "--csv"), ("export", "--layers")):
        assert grokscope_here(*command, path).stderr == note
    rows = list(csv.DictReader(io.StringIO(grokscope_here("export", "--layers", path).stdout)))
    assert set(LAYER_COLUMNS) <= set(rows[-3])
    for name, value in shown["layers"][0]["gates"].items():
        assert rows[-3][name] == ("" if value is None else str(value))


def test_show_as_text_never_cuts_a_number(analysed: Path, grokscope_here: Command) -> None:
    done = grokscope_here("show", analysed)
    assert "…" not in done.stdout
    assert "fc1    40×64" in done.stdout
    assert "weights say:" in done.stdout
    assert "units learning  of these lit" in done.stdout


@pytest.mark.parametrize(
    ("run", "keys", "words"),
    [
        ("mnist-wd001", "G Down 3", "9 weaker traps not kept"),  # 25 of the permutation shown; a file keeps 16
        ("mnist-wd0", "G Down w", "α is undecided: its interval, 1.98 to 2.97, lies in several bands"),
    ],
)
def test_what_is_not_there_is_said_with_its_reason(
    tmp_path: Path, grokscope_here: Command, run: str, keys: str, words: str
) -> None:
    path, screen = Path(__file__).parents[2] / "sample_runs" / f"{run}.h5", tmp_path / "screen.svg"
    assert re.search(f"^fc2.*{words}$", grokscope_here("show", path).stdout, re.MULTILINE)
    grokscope_here("view", path, "--size", "120x40", "--press", keys, "--screenshot", screen)
    assert words in screen.read_text().replace("&#160;", " ")


def test_report_tells_phases_and_events(analysed: Path, trained_run: Path, grokscope_here: Command) -> None:
    [first] = parsed(grokscope_here("report", analysed, "--json"))
    assert first["phases"][0]["first"] == 0
    assert first["phases"][-1]["last"] == 300
    assert first["events"]["last"]["step"] == 300
    assert sum(row["checkpoints"] for row in first["confusion"]) == Run(analysed).num_checkpoints
    assert first["events"]["last"].keys() >= {"fc1 lit", "fc2 bias_over_norm", "fc1 units_lit", "fc2 purity"}
    assert "fc3 lit" not in first["events"]["last"]
    text = grokscope_here("report", analysed).stdout
    assert all(words in text for words in ("fc2 alpha", "fc1 none_lit", "fc2 dead_units"))
    done = grokscope_here("report", analysed, trained_run)
    assert done.exit_code == 2
    assert "are the same run" in done.stderr


def test_export_gives_every_metric_of_every_checkpoint(analysed: Path, grokscope_here: Command) -> None:
    rows = list(csv.DictReader(io.StringIO(grokscope_here("export", analysed).stdout)))
    run = Run(analysed)
    assert [int(row["step"]) for row in rows] == run.steps.tolist()
    assert [float(row["test_loss"]) for row in rows] == run.metrics()["test_loss"].tolist()


def test_odd_names_and_numbers_stay_plain_csv_and_json(tmp_path: Path, grokscope_here: Command) -> None:
    path, names = tmp_path / "run.h5", ["loss, held out", 'a "quoted" one', "never"]
    layers = [LayerSpec("fc1", (2, 3), bias=False)]
    config = {"clip": float("inf"), "floor": float("nan"), "lr": 0.1}
    with RunWriter.create(path, steps=[0], layers=layers, metrics=names, config=config, origin="t") as writer:
        writer.commit(0, {"fc1": np.ones((2, 3))}, {}, dict.fromkeys(names[:2], 0.5))
    [row] = csv.DictReader(io.StringIO(grokscope_here("export", path).stdout))
    assert [row[name] for name in names] == ["0.5", "0.5", ""]
    described = json.loads(grokscope_here("info", path, "--json").stdout, parse_constant=pytest.fail)
    assert described["config"] == {"clip": None, "floor": None, "lr": 0.1}


def test_check_passes_a_whole_run_and_fails_a_damaged_one(
    analysed: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    assert grokscope_here("check", analysed).exit_code == 0
    damaged = Path(shutil.copy(analysed, tmp_path / "damaged.h5"))
    with h5py.File(damaged, "r+") as file:
        file["layers/fc1/weight"][2, 0, 0] += 1
    done = grokscope_here("check", damaged)
    assert done.exit_code == 1
    assert "checkpoint 2 (step 2)" in done.stderr


def test_import_and_its_progress_stay_apart(reference_dir: Path, tmp_path: Path, grokscope_here: Command) -> None:
    done = grokscope_here("import", reference_dir, "-o", tmp_path / "run.h5")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "run.h5")
    run = Run(tmp_path / "run.h5")
    assert run.num_checkpoints == 52
    assert run.metrics()["test_accuracy"].max() == pytest.approx(0.862, abs=0.005)


def test_a_trap_is_taken_out_and_accuracy_measured(
    analysed: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    """One huge entry wrecks the network; without the trap that it makes, the network is nearly itself again.

    Thirty more, on a pixel that is always black, change nothing and make more traps than the spectra file keeps.
    """
    from sklearn.datasets import load_digits

    run, path = Run(analysed), tmp_path / "spoilt.h5"
    last = run.num_checkpoints - 1
    weights = {layer.name: run.weight(last, layer.name) for layer in run.layers}
    biases = {layer.name: run.bias(last, layer.name) for layer in run.layers}
    light = load_digits().data.mean(axis=0)
    brightest, black = int(light.argmax()), int(light.argmin())
    weights["fc1"] = weights["fc1"].copy()
    weights["fc1"][3, brightest] = 300.0
    weights["fc1"][:30, black] = np.linspace(5.0, 10.0, 30)
    fixed = run.fixed("train_indices")
    assert fixed is not None
    with RunWriter.create(
        path, steps=[300], layers=run.layers, metrics=[], config=run.config, origin="a test",
        store_dtype="float64", fixed={"train_indices": fixed},
    ) as writer:  # fmt: skip
        writer.commit(0, weights, biases, {})
    shown = parsed(grokscope_here("show", path, "--without-trap", "1", "--json"))
    result = next(row for row in shown["without_trap"] if row["layer"] == "fc1")
    honest = run.metrics()["train_accuracy"][last]
    assert result["train_accuracy"] < honest - 0.2
    assert result["train_accuracy_without"] == pytest.approx(honest, abs=0.05)
    [weak] = parsed(grokscope_here("show", path, "--without-trap", "17", "--json"))["without_trap"]
    assert 0 < weak["eigenvalue"] < 100
    assert grokscope_here("show", path, "--without-trap", "21").exit_code == 2  # of 40 eigenvalues half are traps


def test_compact_says_how_much_room_it_gave_back(
    trained_run: Path, tmp_path: Path, grokscope_here: Command
) -> None:
    path = Path(shutil.copy(trained_run, tmp_path / "run.h5"))
    before, metrics = path.stat().st_size, grokscope_here("export", path).stdout
    done = grokscope_here("compact", path)
    size = path.stat().st_size
    assert size < before
    assert done.stdout == f"{path}: {size / 1e6:.1f} MB, {(before - size) / 1e6:.1f} MB less\n"
    assert grokscope_here("export", path).stdout == metrics
    assert "0.0 MB less" in grokscope_here("compact", path).stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_no_word_of_that_is_lost_or_torn(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    done = CliRunner().invoke(app, [name, "--help"])
    shown = done.stdout
    assert (done.exit_code, "Usage:" in shown) == (0, True)
    in_boxes = " ".join(" ".join(line.strip("│ ").split()) for line in shown.splitlines())
    for parameter in command.params:
        for word in (parameter.help or "").split():
            assert word in in_boxes
    for paragraph in command.help.split("\n\n"):
        lines = [line.rstrip() for line in shown.splitlines()]
        assert all(f" {line}" in lines for line in textwrap.wrap(paragraph, 78))


def test_the_version_is_printed(grokscope_command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert grokscope_command("--version").stdout.startswith("grokscope ")
