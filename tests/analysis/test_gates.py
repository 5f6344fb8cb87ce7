"""Gates of a run: measured from the checkpoints up to each, kept by the content that they were measured on."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.checkpoint import describe_checkpoint
from grokscope.analysis.evidence import gated_layers, infer_all, read_evidence, why_no_bound, why_no_gates
from grokscope.analysis.gates import chain, input_range
from grokscope.analysis.spectra_layout import beside
from grokscope.phases import infer
from grokscope.phases.capacity import capacity
from grokscope.phases.gates import GATES, measure_gates, turned
from grokscope.report import run_report
from grokscope.runfile import LayerSpec, Run, RunWriter
from tests.collapsing import COUNT, LEARNED, SAID, write_collapsing_run

FAST = Parameters(permutations=3, null_draws=50)
CHAIN = (LayerSpec("a", (200, 784)), LayerSpec("b", (200, 200)), LayerSpec("c", (10, 200)))


def test_gates_are_measured_from_a_checkpoint_the_one_before_and_the_first(run: Run) -> None:
    gates = analyze(run, parameters=FAST, indices=[2]).gates("fc1")
    first, before, now = (run.weight(index, "fc1").astype(float) for index in (0, 1, 2))
    expected = measure_gates(now, run.bias(2, "fc1").astype(float), before, first)
    assert {name: gates[name][2] for name in GATES} == {name: getattr(expected, name) for name in GATES}
    assert np.isfinite(gates["lit"][[1, 2]]).all()
    assert np.isnan(gates["lit"][[0, 3]]).all()


def test_the_capacity_is_the_whole_chains_from_inputs_that_turned_and_kept_of_the_last_layer(run: Run) -> None:
    spectra = analyze(run, parameters=FAST)
    weights = [run.weight(2, layer.name).astype(float) for layer in run.layers]
    inputs = turned(weights[0].T, run.weight(0, "fc1").astype(float).T)
    assert 0 < inputs.sum() < len(inputs)
    found = spectra.column("capacity", "fc3")
    assert found[2] == capacity(weights, inputs)
    assert np.isfinite(found).tolist() == [False, *[True] * (len(found) - 1)]
    assert np.isnan(spectra.column("capacity", "fc1")).all()


@pytest.mark.parametrize("dataset", ["values", "crc32", "source_crc32"])
def test_a_torn_row_counts_as_not_measured_and_is_measured_again(run: Run, dataset: str) -> None:
    whole = analyze(run, parameters=FAST).gates("fc1")["lit"]
    with h5py.File(beside(run.path), "r+") as file:
        rows = file[f"gates/fc1/{dataset}"]
        rows[3] = rows[3] + 1
    torn = Spectra(run).gates("fc1")["lit"]
    assert np.flatnonzero(np.isnan(torn) != np.isnan(whole)).tolist() == [3]
    np.testing.assert_array_equal(analyze(run).gates("fc1")["lit"], whole)


def test_spectra_of_before_there_were_gates_are_measured_anew(run: Run) -> None:
    analyze(run, parameters=FAST)
    older = shutil.copy(beside(run.path), run.path.with_suffix(".older"))  # another file: each is looked at once
    with h5py.File(older, "r+") as file:
        del file["gates"]
    Path(older).replace(beside(run.path))
    assert not Spectra(run).done.any()
    assert np.isfinite(analyze(run, parameters=FAST).gates("fc1")["lit"][1:]).all()


def until(run: Run, count: int, path: Path) -> Run:
    """The run as it was when it had `count` checkpoints."""
    shutil.copy(run.path, path)
    with h5py.File(path, "r+") as file:
        file["steps"][count:] = -1
    return Run(path)


def test_labels_stay_when_later_checkpoints_are_appended(tmp_path: Path) -> None:
    run = Run(write_collapsing_run(tmp_path / "whole.h5"))
    spectra = analyze(run, parameters=FAST)
    final = infer_all(spectra)
    assert [inferred.label for inferred in final] == SAID
    assert run_report(run, spectra).confusion == Counter(("unknown", label) for label in SAID)  # observed first
    for count in range(1, COUNT):
        earlier = until(run, count, tmp_path / f"until{count}.h5")
        assert infer_all(analyze(earlier, parameters=FAST)) == final[:count]


def test_a_checkpoint_alone_is_shown_with_the_verdict_that_the_whole_run_gives_it(tmp_path: Path) -> None:
    run = Run(write_collapsing_run(tmp_path / "run.h5"))
    analyze(run, indices=[LEARNED], parameters=FAST)
    last = describe_checkpoint(run, COUNT - 1)["phase"]
    assert last["inferred"] == SAID[-1]
    assert np.flatnonzero(Spectra(run).done.all(axis=1)).tolist() == [0, LEARNED, COUNT - 2, COUNT - 1]
    assert last["reasons"] == list(infer_all(analyze(run))[-1].reasons)


@pytest.mark.parametrize(
    ("loss", "said", "why"),
    [
        ("mse", [*SAID[:2], "undecided", *["anti-grokking"] * 5], "its capacity is 5.68 times its least so far"),
        (
            "cross-entropy",
            ["unknown", "undecided", *["unknown"] * 6],
            "cross-entropy lets outputs grow for ever",
        ),
    ],
)
def test_capacity_tells_something_where_the_loss_holds_outputs(
    tmp_path: Path, loss: str, said: list[str], why: str
) -> None:
    run = Run(write_collapsing_run(tmp_path / "run.h5", loss=loss))  # what it learns comes with larger weights
    evidence = read_evidence(analyze(run, parameters=FAST))
    inferred = [infer(evidence.until(index), by="capacity") for index in range(COUNT)]
    assert [one.label for one in inferred] == said
    assert why in inferred[-1].reasons[0]


def test_an_imported_folder_is_judged_once_its_activation_and_inputs_are_said(
    tmp_path: Path, grokscope_here: Callable[..., Result]
) -> None:
    run = Run(write_collapsing_run(tmp_path / "run.h5"))
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for index, step in enumerate(run.steps):
        parts = (("weight", run.weight), ("bias", run.bias))
        named = {f"{layer.name}.{part}": read(index, layer.name) for layer in run.layers for part, read in parts}
        np.savez(folder / f"step-{step}.npz", **named)

    def said(name: str, *options: str) -> list[str]:
        done = grokscope_here("import", folder, "-o", tmp_path / name, *options)
        assert done.exit_code == 0, done.stderr
        return [inferred.label for inferred in infer_all(analyze(Run(tmp_path / name), parameters=FAST))]

    bounded = ["undecided" if label == "pre-grokking" else label for label in SAID]
    assert said("told.h5", "--activation", "ReLU", "--input-range", "0,1") == bounded
    assert said("held.h5", "--activation", "relu", "--input-range", "0,1", "--loss", "MSE") == SAID
    [*_, seen] = infer_all(Spectra(Run(tmp_path / "held.h5")))[-1].reasons
    assert seen == "seen as well: its capacity is 5.68 times its least so far"
    silent = said("silent.h5", "--activation", "relu")
    assert silent == ["unknown", "undecided", *["unknown"] * 6]
    [reason, *_] = infer_all(Spectra(Run(tmp_path / "silent.h5")))[-1].reasons
    assert "`grokscope import --input-range 0,1`" in reason
    wrong = grokscope_here("import", folder, "-o", tmp_path / "wrong.h5", "--input-range", "1,0")
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 1)
    assert "--input-range is '1,0'" in wrong.stderr


def test_a_changed_first_checkpoint_makes_every_later_row_stale(run: Run) -> None:
    analyze(run, parameters=FAST)
    with h5py.File(run.path, "r+") as file:
        file["crc32"][0] = file["crc32"][0] + 1
    assert np.isnan(Spectra(Run(run.path)).gates("fc1")["lit"]).all()


def test_standardised_inputs_are_known_from_the_configuration(tmp_path: Path) -> None:
    """The same network on [0, 1] and on inputs that lie elsewhere: the same gates."""
    rng = np.random.default_rng(0)
    layers = (LayerSpec("a", (60, 64)), LayerSpec("b", (60, 60)), LayerSpec("c", (10, 60)))
    weights = [{layer.name: rng.normal(-0.2, 1, layer.shape) for layer in layers} for _ in range(3)]
    found = []
    for low, high in ((0.0, 1.0), (-0.4, 2.8)):
        path = tmp_path / f"{high}.h5"
        config = {"activation": "relu", "input_range": [low, high]}
        with RunWriter.create(
            path,
            steps=np.arange(3),
            layers=layers,
            metrics=[],
            config=config,
            origin="a test",
            store_dtype="float64",
        ) as writer:
            for index, of_all in enumerate(weights):
                first = of_all["a"] / (high - low)
                biases = {"a": -low * first.sum(axis=1), "b": np.zeros(60), "c": np.zeros(10)}
                writer.commit(index, {**of_all, "a": first}, biases, {})
        found.append(analyze(Run(path), parameters=FAST).gates("a")["lit"])
    np.testing.assert_allclose(*found, rtol=1e-9)
    assert np.isfinite(found[0][1:]).all()


@pytest.mark.parametrize(
    ("config", "layers", "why"),
    [
        ({"activation": "relu", "dataset": "digits"}, CHAIN, ""),
        ({"activation": "relu", "input_range": [-1, 1]}, CHAIN, ""),
        ({"activation": "relu", "input_range": [1, -1]}, CHAIN, "input_range"),
        ({"activation": "relu", "input_range": "any"}, CHAIN, "input_range"),
        ({"activation": "relu"}, CHAIN, "input_range"),
        ({"activation": "ReLU", "dataset": "digits"}, CHAIN, ""),
        ({"activation": "tanh", "dataset": "mnist"}, CHAIN, "tanh"),
        ({"activation": "gelu", "dataset": "mnist"}, CHAIN, "gelu"),
        ({"dataset": "mnist"}, CHAIN, "activation"),
        ({"activation": "relu", "dataset": "mnist"}, CHAIN[:2], "three"),
        ({"activation": "relu", "dataset": "mnist"}, (CHAIN[0], CHAIN[2], CHAIN[1]), "linear layers"),
        ({"activation": "relu"}, (LayerSpec("a", (8, 3, 3, 3), "conv"), *CHAIN[1:]), "linear layers"),
    ],
)
def test_why_nothing_is_said_of_gates(config: dict[str, object], layers: tuple[LayerSpec, ...], why: str) -> None:
    said = why_no_gates(config, layers)
    assert why in said
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("mse", ""),
        ("MSELoss", ""),
        ("mean squared error", ""),
        ("cross-entropy", "cross-entropy lets outputs grow for ever"),
        ("CrossEntropyLoss", "CrossEntropyLoss lets outputs grow for ever"),
        ("huber", "it is not known of huber that it holds outputs to their targets"),
        (None, "nothing says with which loss"),
    ],
)
def test_why_outputs_may_grow_for_ever(loss: str | None, why: str) -> None:
    said = why_no_bound({"loss": loss})
    assert why in said
    assert bool(said) == bool(why)


def test_what_a_recorder_is_told_to_say_is_what_was_missing() -> None:
    config: dict[str, object] = {}
    while said := why_no_gates(config, CHAIN) or why_no_bound(config):
        way_out = re.search(r"`Recorder\(config=(.*)\)`", said)
        assert way_out is not None, said
        config |= json.loads(way_out[1])
    assert config == {"activation": "relu", "input_range": [0, 1], "loss": "mse"}


def test_layers_that_are_no_chain_have_no_gates_and_ranges_are_numbers() -> None:
    assert chain(CHAIN) == CHAIN
    assert chain(CHAIN[::-1]) == ()
    assert input_range({"dataset": "mnist"}) == (0.0, 1.0)
    assert input_range({"input_range": [0, float("nan")]}) is None


def test_gates_are_columns_of_the_hidden_layers(run: Run) -> None:
    spectra = analyze(run, parameters=FAST)
    assert gated_layers(run) == ("fc1", "fc2")
    for name in GATES:
        assert spectra.column(name, "fc1").tolist() == pytest.approx(spectra.gates("fc1")[name], nan_ok=True)
    assert np.isfinite(spectra.column("lit", "fc1")[1:]).all()
