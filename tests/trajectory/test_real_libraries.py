"""Folders that real libraries leave behind open with their steps, and hold the library's own arrays bit for bit.

Each saver saves two checkpoints as the library does, and says what the library itself reads from them.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints, open_trajectory
from grokscope.trajectory.importing import write_run
from tests.trajectory.models import tiny_gpt2
from tests.trajectory.saved_by_hub import hub_cache
from tests.trajectory.saved_by_others import (
    flax_messages,
    gguf_files,
    keras_weights,
    numpy_archives,
    onnx_files,
    orbax_manager,
)
from tests.trajectory.saved_by_torch import (
    accelerate_fsdp,
    adapters,
    deepspeed,
    distributed,
    huggingface_trainer,
    lightning_run,
    nanogpt,
    one_file_with_many,
    sharded_steps,
)
from tests.trajectory.saving import Saved

SAVERS: tuple[Callable[[Path], Saved], ...] = (
    huggingface_trainer, lightning_run, hub_cache, sharded_steps, distributed, accelerate_fsdp, deepspeed,
    adapters, keras_weights, flax_messages, orbax_manager, numpy_archives, one_file_with_many, nanogpt, onnx_files,
    gguf_files,
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Callable[[Path], Saved]], Saved]]:
    """What a library has saved, once for all tests."""
    known: dict[str, Saved] = {}

    def of(save: Callable[[Path], Saved]) -> Saved:
        if save.__name__ not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known[save.__name__] = save(tmp_path_factory.mktemp(save.__name__) / "in")
        return known[save.__name__]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "torch")
        patch.setenv("JAX_PLATFORMS", "cpu")
        yield of


@pytest.mark.parametrize("save", SAVERS, ids=lambda save: save.__name__)
def test_a_librarys_folder_holds_its_own_arrays(
    tmp_path: Path, saved: Callable[..., Saved], save: Callable[[Path], Saved]
) -> None:
    path, steps = saved(save)
    opened = open_trajectory(path)
    assert opened.steps.tolist() == sorted(steps)
    for index, step in enumerate(opened.steps.tolist()):
        assert {layer.name for layer in opened.layers} == set(steps[step])
        for name, array in steps[step].items():
            weight = opened.weight(index, name)
            assert weight.dtype == array.dtype
            # two libraries' products of the same two matrices differ in the last bit
            np.testing.assert_allclose(weight, array, rtol=1e-6 if save is adapters else 0)
    assert isinstance(opened, Checkpoints)
    write_run(opened, tmp_path / "run.h5")
    imported = Run(tmp_path / "run.h5")
    for layer in opened.layers:
        assert np.array_equal(imported.weight(1, layer.name), opened.weight(1, layer.name))


def test_the_trainers_log_and_lightnings_table_give_the_metrics(saved: Callable[..., Saved]) -> None:
    """Lightning counts the batch before its checkpoint's step: one before is taken, and that is said."""
    trained, logged = saved(huggingface_trainer)[0], saved(lightning_run)[0]
    of_trainer, of_lightning = open_trajectory(trained), open_trajectory(logged)
    state = json.loads((trained / "checkpoint-4" / "trainer_state.json").read_text())
    losses = {entry["step"]: entry["loss"] for entry in state["log_history"] if "loss" in entry}
    assert of_trainer.metrics()["train_loss"].tolist() == [losses[2], losses[4]]
    table = csv.DictReader(next(logged.rglob("metrics.csv")).open())
    by_step = {int(row["step"]): float(row["train_loss"]) for row in table if row["train_loss"]}
    assert of_lightning.metrics()["train_loss"].tolist() == [by_step[1], by_step[3]]
    assert any("before" in note for note in of_lightning.notes), of_lightning.notes


def test_layers_of_a_safetensors_file_stand_in_the_order_of_the_network(tmp_path: Path) -> None:
    names = [layer.name for layer in open_trajectory(tiny_gpt2(tmp_path / "tiny")).layers]
    block = ["attn.c_attn.q", "attn.c_attn.k", "attn.c_attn.v", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
    blocks = [f"transformer.h.{number}.{part}" for number in (0, 1) for part in block]
    assert names == ["transformer.wte", "transformer.wpe", *blocks]
