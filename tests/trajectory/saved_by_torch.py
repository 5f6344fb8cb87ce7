"""Folders that libraries on top of PyTorch leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trajectory.saving import SIZES, Saved, matrices, network


class Learner(nn.Module):
    """A network as the Trainer wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network(0)

    def forward(self, x: Any, labels: Any = None) -> dict[str, Any]:
        """Return the loss with the outputs."""
        outputs = self.layers(x)
        return {"loss": (outputs - labels).square().mean(), "logits": outputs}


def huggingface_trainer(folder: Path) -> Saved:
    """The Trainer's checkpoint-N/ with its optimizer, scheduler, random states and log."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    data = [{"x": torch.randn(SIZES[0]), "labels": torch.randn(SIZES[-1])} for _ in range(8)]
    arguments = transformers.TrainingArguments(
        folder, max_steps=4, save_steps=2, logging_steps=2, per_device_train_batch_size=2, report_to=[],
        use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    transformers.Trainer(Learner(), arguments, train_dataset=data).train()
    from safetensors.torch import load_file

    assert (folder / "checkpoint-2" / "optimizer.pt").is_file()
    files = {step: folder / f"checkpoint-{step}" / "model.safetensors" for step in (2, 4)}
    return folder, {step: matrices(load_file(file)) for step, file in files.items()}


def lightning_run(folder: Path) -> Saved:
    """Lightning's `lightning_logs/version_0/checkpoints/epoch=…-step=….ckpt`, its logger's table above them."""
    lightning = pytest.importorskip("lightning.pytorch")
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import CSVLogger

    class Module(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = network(0)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            loss = self.layers(batch[0]).square().mean()
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters())

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(8, SIZES[0])), batch_size=2)
    lightning.Trainer(
        max_steps=4, accelerator="cpu", logger=CSVLogger(folder), enable_progress_bar=False, log_every_n_steps=1,
        enable_model_summary=False, callbacks=[ModelCheckpoint(every_n_train_steps=2, save_top_k=-1)],
    ).fit(Module(), data)  # fmt: skip
    saved = {}
    for file in folder.rglob("*.ckpt"):
        checkpoint = torch.load(file, weights_only=False)
        saved[checkpoint["global_step"]] = matrices(checkpoint["state_dict"])
    return folder, saved


def sharded_steps(folder: Path) -> Saved:
    """`stepN/` folders of a model in several safetensors files with an index."""
    transformers = pytest.importorskip("transformers")
    saved = {}
    for step in (0, 512):
        torch.manual_seed(step)
        model = transformers.BertModel(transformers.BertConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=8,
        ))  # fmt: skip
        model.save_pretrained(folder / f"step{step}", max_shard_size="4KB")
        assert (folder / f"step{step}" / "model.safetensors.index.json").is_file()
        again = transformers.BertModel.from_pretrained(folder / f"step{step}")
        saved[step] = matrices(again.state_dict())
    return folder, saved


def distributed(folder: Path) -> Saved:
    """torch.distributed.checkpoint, as FSDP saves: `.metadata` beside `.distcp` files; its own converter reads."""
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    saved = {}
    for step in (10, 20):
        state = {"model": network(step).state_dict(), "step": step}
        checkpoint.save(state, checkpoint_id=folder / f"step-{step}", no_dist=True)
        dcp_to_torch_save(folder / f"step-{step}", folder.parent / "whole.pt")
        saved[step] = matrices(torch.load(folder.parent / "whole.pt", weights_only=False)["model"])
    return folder, saved


def accelerate_fsdp(folder: Path) -> Saved:
    """Accelerate's checkpoints of FSDP: the weights in a folder of their own, the optimizer's beside it."""
    from torch.distributed import checkpoint

    saved = {}
    for step in (10, 20):
        state = network(step).state_dict()
        place = folder / f"checkpoint-{step}"
        checkpoint.save({"model": state}, checkpoint_id=place / "pytorch_model_fsdp_0", no_dist=True)
        optimizer = {"optimizer": {"state": {"0.weight": {"exp_avg": torch.ones(5, 6)}}}}
        checkpoint.save(optimizer, checkpoint_id=place / "optimizer_0", no_dist=True)
        torch.save({"random": 1}, place / "random_states_0.pkl")
        saved[step] = matrices(state)
    return folder, saved


def deepspeed(folder: Path) -> Saved:
    """DeepSpeed's global_stepN/ as it names and nests them; its library needs a compiler, so torch writes them."""
    saved = {}
    for step in (5, 10):
        state, place = network(step).state_dict(), folder / f"global_step{step}"
        place.mkdir(parents=True)
        states = {"module": state, "global_steps": step, "dp_world_size": 1, "ds_version": "0.17"}
        torch.save(states, place / "mp_rank_00_model_states.pt")
        moments = {"optimizer_state_dict": {"state": {0: {"exp_avg": torch.ones(45)}}}}
        torch.save(moments, place / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
        saved[step] = matrices(state)
    (folder / "latest").write_text("global_step10")
    return folder, saved


def adapters(folder: Path) -> Saved:
    """PEFT's adapters alone: what they add to a weight, as PEFT itself computes it."""
    peft = pytest.importorskip("peft")
    saved = {}
    for step in (1, 2):
        model = peft.get_peft_model(network(step), peft.LoraConfig(r=2, lora_alpha=4, target_modules=["0"]))
        layer = model.base_model.model[0]
        with torch.no_grad():
            layer.lora_B["default"].weight.normal_()
        model.save_pretrained(folder / f"checkpoint-{step}")
        saved[step] = {"0.lora": layer.get_delta_weight("default").detach().numpy()}
    return folder, saved


def one_file_with_many(folder: Path) -> Saved:
    """A grokking demo's one file: a list of state dicts, their epochs and losses beside it."""
    folder.mkdir()
    states = [network(seed).state_dict() for seed in (0, 1)]
    content = {"model_checkpoints": states, "checkpoint_epochs": [100, 200], "test_losses": [0.5, 0.25]}
    torch.save(content, folder / "grokking.pth")
    return folder / "grokking.pth", {100 * (k + 1): matrices(state) for k, state in enumerate(states)}


def nanogpt(folder: Path) -> Saved:
    """nanoGPT's ckpt.pt, one for each run of its loop, under names that say nothing."""
    folder.mkdir()
    saved = {}
    for name, step in (("a", 2000), ("b", 4000)):
        state = {f"_orig_mod.{key}": value for key, value in network(step).state_dict().items()}
        arguments = {"n_layer": 1, "bias": False}
        torch.save(
            {"model": state, "optimizer": {"state": {0: {"exp_avg": torch.ones(5, 6)}}}, "model_args": arguments,
             "iter_num": step, "best_val_loss": torch.tensor(1.5), "config": arguments},
            folder / f"{name}.pt",
        )  # fmt: skip
        saved[step] = matrices(state, "_orig_mod.")
    return folder, saved
