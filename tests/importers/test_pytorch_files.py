"""PyTorch's own files, in every wrapping, are read bit for bit as PyTorch reads them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grokscope.errors import UsageError
from grokscope.importers import layers_of, read_tensors
from tests.importers.written import adam, assert_same, network

WRAPPINGS: dict[str, tuple[Callable[[torch.nn.Module], Any], str]] = {
    "state dict": (lambda model: model.state_dict(), ""),
    "tutorial": (
        lambda model: {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": adam(model)},
        "model_state_dict/",
    ),
    "nanoGPT": (lambda model: {"model": model.state_dict(), "config": {"n_layer": 2}, "iter_num": 5}, "model/"),
    "config beside": (
        lambda model: {"model": argparse.Namespace(width=8), "state_dict": model.state_dict()}, "state_dict/"
    ),
    "net": (lambda model: {"net": model.state_dict(), "acc": np.float64(0.5), "loss": torch.tensor(0.25)}, "net/"),
    "module": (lambda model: model, ""),
    "module beside": (lambda model: {"model": model, "args": argparse.Namespace(lr=0.1)}, "model/"),
    "log": (lambda model: {"net": model.state_dict(), "log": "x" * (3 << 20)}, "net/"),
    "numpy": (lambda model: {"state": model.state_dict(), "weights": np.arange(6.0).reshape(2, 3)}, "state/"),
}  # fmt: skip


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kind", WRAPPINGS)
def test_pytorch_files_in_every_wrapping(tmp_path: Path, kind: str, zipped: bool) -> None:
    wrap, prefix = WRAPPINGS[kind]
    model = network()
    torch.save(wrap(model), tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    tensors = read_tensors(tmp_path / "model.pt")
    assert_same(tensors, model.state_dict(), prefix)
    assert not [name for name in tensors.names() if "exp_avg" in name]
    assert "0" in [layer.name for layer in layers_of(tensors)[0]] or kind == "numpy"
    assert (tensors.crc32() is not None) == zipped or kind == "numpy"


def test_plain_values_lie_beside_the_tensors(tmp_path: Path) -> None:
    beside = {"iter_num": 50, "args": argparse.Namespace(lr=0.1, name="a"), "acc": np.float64(0.5)}
    beside |= {"loss": torch.tensor(0.25), "train_losses": [0.5, 0.25], "accs": np.array([0.0, 1.0]), "done": True}
    torch.save({"model": network().state_dict(), **beside}, tmp_path / "model.pt")
    assert read_tensors(tmp_path / "model.pt").extra == {
        "iter_num": 50, "args.lr": 0.1, "args.name": "a", "acc": 0.5, "loss": 0.25, "train_losses": [0.5, 0.25],
        "accs": [0.0, 1.0], "done": True,
    }  # fmt: skip


def test_views_of_one_storage_and_ties_are_what_they_are(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    state = {"a.weight": whole, "turned.weight": whole.T, "part.weight": whole[1:3, ::2], "tied.weight": whole}
    for zipped in (True, False):
        torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
        tensors = read_tensors(tmp_path / "model.pt")
        assert_same(tensors, state)
        layers = {layer.name: layer.note for layer in layers_of(tensors)[0]}
        assert layers == {"a": "tied: also tied.weight", "turned": "", "part": ""}


@pytest.mark.filterwarnings("ignore")
def test_torchscript(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    torch.jit.save(torch.jit.script(model), tmp_path / "model.pt")
    assert_same(read_tensors(tmp_path / "model.pt"), model.state_dict())


def test_a_lightning_checkpoint(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters({"lr": 0.1})
            self.model = torch.nn.Linear(4, 2)

        def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
            return self.model(batch[0]).sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(6, 4)), batch_size=2)
    trainer = lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module := Module(), data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    tensors = read_tensors(tmp_path / "last.ckpt")
    assert_same(tensors, module.state_dict(), "state_dict/")
    assert [layer.name for layer in layers_of(tensors)[0]] == ["layer"]
    assert (tensors.extra["global_step"], tensors.extra["epoch"]) == (3, trainer.current_epoch)


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")  # one process saves
def test_a_distributed_checkpoint(tmp_path: Path) -> None:
    from torch.distributed import checkpoint

    model = network()
    saved = {"model": model.state_dict(), "step": 7, "optim": adam(model)}
    checkpoint.save(saved, checkpoint_id=tmp_path / "dcp", no_dist=True)
    tensors = read_tensors(tmp_path / "dcp")
    assert_same(tensors, model.state_dict(), "model.")
    assert tensors.extra["step"] == 7
    assert not [name for name in tensors.names() if "exp_avg" in name]
    next((tmp_path / "dcp").glob("*.distcp")).unlink()
    with pytest.raises(UsageError, match=r"lacks __0_0\.distcp"):
        read_tensors(tmp_path / "dcp")


@pytest.mark.filterwarnings("ignore:torch.quantize")  # deprecated, but in files that are there
def test_what_torch_cannot_show_as_numbers_is_left_out(tmp_path: Path) -> None:
    dense = torch.ones(4, 5)
    state = {
        "fc.weight": dense,
        "sparse.weight": dense.to_sparse(),
        "meta.weight": torch.ones(3, 3, device="meta"),
    }
    state["quantised.weight"] = torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    state["rare.weight"] = dense.to(torch.float8_e4m3fnuz)
    torch.save(state, tmp_path / "model.pt")
    layers, left_out = layers_of(read_tensors(tmp_path / "model.pt"))
    assert [layer.name for layer in layers] == ["fc"]
    assert [one.name for one in left_out] == ["sparse.weight", "meta.weight", "quantised.weight", "rare.weight"]


def test_equal_weights_have_equal_crcs_whatever_lies_beside_them(tmp_path: Path) -> None:
    for step in (1, 2):
        torch.save({"model": network().state_dict(), "step": step}, tmp_path / f"{step}.pt")
    changed = network()
    with torch.no_grad():
        changed[2].weight[0, 0] += 1
    torch.save({"model": changed.state_dict(), "step": 3}, tmp_path / "3.pt")
    first, second, third = (read_tensors(tmp_path / f"{step}.pt").crc32() for step in (1, 2, 3))
    assert first == second != third


def test_the_scale_of_an_adapter_is_in_the_crc(tmp_path: Path) -> None:
    for alpha in (16, 64):
        torch.save(
            {"model": network().state_dict(), "adapter": {"lora_alpha": alpha, "r": 8}}, tmp_path / f"{alpha}.pt"
        )
    assert read_tensors(tmp_path / "16.pt").crc32() != read_tensors(tmp_path / "64.pt").crc32()
