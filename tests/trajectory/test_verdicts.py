"""What is said of checkpoints is weakened by what is not known of them, and their metrics are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.checkpoint import describe_checkpoint
from grokscope.analysis.evidence import infer_all
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints, Opening, open_trajectory
from grokscope.trajectory.importing import write_run
from tests.conftest import ROOT

QUICK = Parameters(permutations=2, null_draws=200)


def save(path: Path, layers: dict[str, NDArray[np.generic]], *, biases: bool = True) -> None:
    """Write float32 layers, with a bias of zeros each or without, as a safetensors file."""
    arrays = {f"{name}.weight": array.astype("<f4") for name, array in layers.items()}
    if biases:
        arrays |= {f"{name}.bias": np.zeros(len(array), "<f4") for name, array in layers.items()}
    header, end = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in arrays.values()))


def test_the_collapsed_checkpoint_alone_is_unknown_imported_or_not(tmp_path: Path) -> None:
    """Neither its weights nor its accuracies can tell a phase without a history (the last one of a real run)."""
    run = Run(ROOT / "sample_runs" / "mnist-wd0.h5")
    last = run.num_checkpoints - 1
    save(tmp_path / "in" / "model.safetensors", {one.name: run.weight(last, one.name) for one in run.layers})
    accuracies = {name: run.metrics()[name][last] for name in ("train_accuracy", "test_accuracy")}
    table = ",".join(["step", *accuracies]) + "\n" + ",".join(["0", *map(repr, map(float, accuracies.values()))])
    (tmp_path / "in" / "metrics.csv").write_text(table)
    opened = Checkpoints(tmp_path / "in")
    write_run(opened, tmp_path / "run.h5")
    for trajectory in (opened, Run(tmp_path / "run.h5")):
        analyze(trajectory, parameters=QUICK)
        described = describe_checkpoint(trajectory, 0)
        assert described["metrics"] == pytest.approx(accuracies)
        assert described["phase"]["observed"] == described["phase"]["inferred"] == "unknown"
        assert described["phase"]["reasons"] == [
            "one checkpoint alone has no history, so that growth cannot be told from how the network began"
        ]


def test_a_layer_that_turns_nan_or_is_missing_makes_the_verdict_unknown(tmp_path: Path) -> None:
    """Not pre-grokking: nothing beyond the edge is known only where something was measured."""
    rng = np.random.default_rng(0)
    for step in range(4):
        weight = rng.normal(size=(60, 70))
        weight[0, 0] = np.nan if step == 2 else weight[0, 0]
        layers = {"fc1": weight} if step < 3 else {"other": rng.normal(size=(60, 70))}
        save(tmp_path / "in" / f"step{step}.safetensors", layers)
    opened = open_trajectory(tmp_path / "in")
    assert {layer.name for layer in opened.layers} == {"fc1", "other"}
    analyze(opened, parameters=QUICK)
    labels = [inferred.label for inferred in infer_all(Spectra(opened))]
    assert labels[2] == "unknown"
    assert "pre-grokking" not in labels[2:]


def test_what_is_left_out_and_equal_stands_beside_every_verdict(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(20, 30))
    for step in (1, 2, 5):
        save(tmp_path / "in" / f"step{step}.safetensors", {"fc": weight if step != 2 else weight + 1})
    (tmp_path / "in" / "step9.safetensors").write_bytes(b"torn")
    opened = open_trajectory(tmp_path / "in")
    described = describe_checkpoint(opened, 0)
    assert described["duplicates"] == [[1, 5]]
    assert [out["name"] for out in described["left_out"]] == ["step9"]
    write_run(Checkpoints(tmp_path / "in"), tmp_path / "run.h5")
    kept = describe_checkpoint(Run(tmp_path / "run.h5"), 0)
    assert (kept["left_out"], kept["duplicates"]) == (described["left_out"], [[1, 5]])


@pytest.mark.parametrize(
    ("accuracies", "found", "said"),
    [
        ((12.0, 100.0), [0.12, 1.0], "test_accuracy is in percent and was divided by 100"),
        ((0.12, 1.0), [0.12, 1.0], ""),
        ((0.5, 1.2), None, "neither a fraction nor a percentage"),
    ],
)
def test_accuracies_inside_the_files_are_fractions_or_are_not_used(
    tmp_path: Path, accuracies: tuple[float, float], found: list[float] | None, said: str
) -> None:
    torch = pytest.importorskip("torch")
    for step, accuracy in enumerate(accuracies):
        torch.save({"model": {"fc.weight": torch.ones(3, 2)}, "val_acc": accuracy}, tmp_path / f"step{step}.pt")
    opened = Checkpoints(tmp_path)
    assert (opened.metrics()["test_accuracy"].tolist() if found else opened.metrics()) == (found or {})
    assert not said or any(said in note for note in opened.notes)


def test_the_layers_of_a_model_keep_their_notes_when_it_is_imported(tmp_path: Path) -> None:
    save(tmp_path / "in" / "step3.safetensors", {"wpe": np.ones((40, 30))}, biases=False)
    opened = Checkpoints(tmp_path / "in", Opening())
    write_run(opened, tmp_path / "run.h5")
    run = Run(tmp_path / "run.h5")
    assert [layer.note for layer in run.layers] == [layer.note for layer in opened.layers]
    assert opened.layers[0].note == "may be an embedding"
    assert run.notes[0] == opened.notes[0]


def test_a_large_table_of_words_costs_little_memory() -> None:
    """GPT-2's, 154 MB in float32: its measures are taken block by block, not on copies in float64."""
    import tracemalloc

    from grokscope.spectra import analyze_layer

    table = np.full((50257, 768), 0.5, dtype=np.float32)
    tracemalloc.start()
    spectrum = analyze_layer(table, "wte", step=0, kind="embedding")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spectrum.norm == pytest.approx(0.5 * np.sqrt(table.size))
    assert spectrum.abs_entropy == pytest.approx(0.5 * np.log(2) * table.size)
    assert most < 100e6
