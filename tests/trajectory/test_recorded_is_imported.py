"""The recorder and an import of the saved file give the same layers and weights, whatever the architecture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import grokscope
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints
from grokscope.trajectory.importing import write_run

torch = pytest.importorskip("torch")

from tests.importers.architectures import ARCHITECTURES  # noqa: E402

NOT_IN_THE_FILE = {"adapters": "a state dict does not say how much an adapter weighs"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in NOT_IN_THE_FILE])
def test_what_is_recorded_is_what_is_imported(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name]()
    with grokscope.Recorder(tmp_path / "recorded.h5", model, steps=10) as recorder:
        recorder.step(0)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    write_run(Checkpoints(tmp_path / "model.pt"), tmp_path / "imported.h5")
    recorded, imported = Run(tmp_path / "recorded.h5"), Run(tmp_path / "imported.h5")
    assert recorded.layers == imported.layers
    for layer in recorded.layers:
        ours, theirs = recorded.weight(0, layer.name), imported.weight(0, layer.name)
        np.testing.assert_array_equal(ours, theirs.astype(ours.dtype))
        if layer.bias:
            np.testing.assert_array_equal(
                recorded.bias(0, layer.name), imported.bias(0, layer.name).astype(np.float32)
            )


def two_adapters(model: torch.nn.Module) -> torch.nn.Module:
    """Another adapter, which lies beside the one at work."""
    model.add_adapter("idle", model.peft_config["default"])
    with torch.no_grad():
        model.base_model.model[0].lora_B["idle"].weight.normal_()
    return model


def merged_adapter(model: torch.nn.Module) -> torch.nn.Module:
    """The weights hold their adapter already."""
    model.merge_adapter()
    return model


def within_another(model: torch.nn.Module) -> torch.nn.Module:
    """The layers of the adapted network lack one that stands beside it, so their names keep their prefix."""
    return torch.nn.ModuleDict({"adapted": model, "head": torch.nn.Linear(4, 2)})


@pytest.mark.parametrize(
    ("change", "name", "note"),
    [
        (lambda model: model, "0", "W + 3·BA"),
        (two_adapters, "0", "W + 3·BA; W + 0·BA"),
        (merged_adapter, "0", "W + 0·BA"),
        (within_another, "adapted.base_model.model.0", "W + 3·BA"),
    ],
)
def test_an_adapter_is_recorded_with_its_base(
    tmp_path: Path, change: Callable[[torch.nn.Module], torch.nn.Module], name: str, note: str
) -> None:
    torch.manual_seed(0)
    adapted = ARCHITECTURES["adapters"]()
    with grokscope.Recorder(tmp_path / "run.h5", change(adapted)) as recorder:
        recorder.step(0)
    run, acting = Run(tmp_path / "run.h5"), adapted.merge_and_unload()[0].weight.detach().numpy()
    assert not [layer.name for layer in run.layers if "lora" in layer.name]
    assert np.allclose(run.weight(0, name), acting, atol=1e-6)
    assert any(f"layer {name}: {note}" in told for told in run.notes)


def test_an_adapter_that_is_more_than_a_product_stands_apart(tmp_path: Path) -> None:
    """DoRA scales each row of the sum."""
    peft = pytest.importorskip("peft")
    base = torch.nn.Sequential(torch.nn.Linear(8, 12))
    adapted = peft.get_peft_model(base, peft.LoraConfig(target_modules=["0"], use_dora=True))
    with grokscope.Recorder(tmp_path / "run.h5", adapted) as recorder:
        recorder.step(0)
    run = Run(tmp_path / "run.h5")
    assert [layer.name for layer in run.layers] == ["0", "0.lora"]
    assert "layer 0: without its adapter, whose scale is not known" in run.notes


def test_a_turned_layer_is_recorded_with_its_adapter(tmp_path: Path) -> None:
    """GPT-2's modules hold [in, out], its square ones too."""
    peft = pytest.importorskip("peft")
    model = ARCHITECTURES["gpt2"]()
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["c_proj"], fan_in_fan_out=True))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    with grokscope.Recorder(tmp_path / "run.h5", adapted) as recorder:
        recorder.step(0)
    run, block = Run(tmp_path / "run.h5"), adapted.merge_and_unload().transformer.h[0]
    for name, module in (("attn.c_proj", block.attn.c_proj), ("mlp.c_proj", block.mlp.c_proj)):
        (layer,) = (layer.name for layer in run.layers if layer.name.endswith(f"h.0.{name}"))
        assert np.allclose(run.weight(0, layer), module.weight.detach().numpy().T, atol=1e-6)


def test_there_are_twenty_architectures() -> None:
    assert len(ARCHITECTURES) - len(NOT_IN_THE_FILE) >= 20
