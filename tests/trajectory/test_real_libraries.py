"""Folders that real libraries leave behind open with their steps, and hold the library's own arrays bit for bit.

Each row saves two checkpoints as the library does, and says what the library itself reads from them.
"""

from __future__ import annotations

import csv
import hashlib
import http.server
import json
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints, open_trajectory
from grokscope.trajectory.importing import write_run
from tests.trajectory.models import tiny_gpt2

torch = pytest.importorskip("torch")
nn = torch.nn

Arrays = Mapping[str, NDArray[Any]]
Saved = tuple[Path, dict[int, Arrays]]
"""What is opened, and the arrays of each step by the layer's name."""

SIZES = (6, 5, 3)


def network(seed: int) -> nn.Sequential:
    """A small network, another for each seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(*SIZES[:2]), nn.ReLU(), nn.Linear(*SIZES[1:]))


def matrices(state: Mapping[str, Any], prefix: str = "") -> Arrays:
    """The weights of two axes in a state dict, by their layers' names."""
    named = {name.removeprefix(prefix).removesuffix(".weight"): value for name, value in state.items()}
    return {name: value.detach().numpy() for name, value in named.items() if value.ndim == 2}


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


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of a model hub as a download asks for: a model's revisions, and their files."""

    revisions: Mapping[str, Mapping[str, bytes]] = {}

    def do_HEAD(self) -> None:
        """Describe a file."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Send a file, or what a revision holds."""
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        words = self.path.partition("?")[0].strip("/").split("/")
        revision = next((name for name in self.revisions if name in words or commit(name) in words), None)
        if revision is None:
            self.send_error(404)
            return
        files = self.revisions[revision]
        content = files[words[-1]] if "resolve" in words else self._description(revision, words)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", commit(revision))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _description(self, revision: str, words: list[str]) -> bytes:
        files = self.revisions[revision]
        if "tree" in words:
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()
            ]
            return json.dumps(entries).encode()
        siblings = [{"rfilename": name} for name in files]
        return json.dumps({"id": "a/b", "sha": commit(revision), "siblings": siblings}).encode()


def commit(revision: str) -> str:
    """A revision's commit."""
    return hashlib.sha1(revision.encode()).hexdigest()


def hub_cache(folder: Path) -> Saved:
    """The hub's cache: blobs, refs, and snapshots of links; the steps are revisions of the model, as Pythia's."""
    hub = pytest.importorskip("huggingface_hub")
    from safetensors.torch import save

    states = {step: network(step).state_dict() for step in (1000, 2000)}
    Hub.revisions = {
        f"step{step}": {"model.safetensors": save(state), "config.json": b"{}"} for step, state in states.items()
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for revision in Hub.revisions:
            hub.HfApi(endpoint=f"http://127.0.0.1:{server.server_port}", token=False).snapshot_download(
                "a/b", revision=revision, cache_dir=folder
            )
    finally:
        server.shutdown()
        server.server_close()
    cache = folder / "models--a--b"
    assert any(file.is_symlink() for file in cache.rglob("model.safetensors"))
    return cache, {step: matrices(state) for step, state in states.items()}


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


def keras_weights(folder: Path) -> Saved:
    """Keras's `.weights.h5` of each epoch; a kernel is [in, out] there."""
    keras = pytest.importorskip("keras")
    folder.mkdir()
    saved = {}
    for epoch in (1, 2):
        model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(5, name="a")])
        model.save_weights(folder / f"cp-{epoch:04d}.weights.h5")
        saved[epoch] = {"a": keras.ops.convert_to_numpy(model.layers[0].kernel).T}
    return folder, saved


def flax_messages(folder: Path) -> Saved:
    """Flax's `checkpoint_N` of MessagePack."""
    serialization = pytest.importorskip("flax.serialization")
    folder.mkdir()
    saved = {}
    for step in (100, 200):
        kernel = np.random.default_rng(step).normal(size=(6, 5)).astype(np.float32)
        content = serialization.to_bytes({"params": {"Dense_0": {"kernel": kernel}}, "opt_state": {"mu": kernel}})
        (folder / f"checkpoint_{step}").write_bytes(content)
        again = serialization.msgpack_restore(content)
        saved[step] = {"Dense_0": again["params"]["Dense_0"]["kernel"].T}
    return folder, saved


def orbax_manager(folder: Path) -> Saved:
    """Orbax's CheckpointManager: N/default/."""
    orbax = pytest.importorskip("orbax.checkpoint")
    saved = {}
    with orbax.CheckpointManager(folder.absolute()) as manager:
        for step in (100, 200):
            kernel = np.random.default_rng(step).normal(size=(6, 5)).astype(np.float32)
            manager.save(step, args=orbax.args.StandardSave({"params": {"Dense_0": {"kernel": kernel}}}))
            manager.wait_until_finished()
            saved[step] = {"Dense_0": np.asarray(manager.restore(step)["params"]["Dense_0"]["kernel"]).T}
    return folder, saved


def numpy_archives(folder: Path) -> Saved:
    """One `.npz` a step."""
    folder.mkdir()
    saved = {}
    for step in (3, 30):
        weight = np.random.default_rng(step).normal(size=(5, 6))
        np.savez(folder / f"weights_{step}.npz", **{"fc.weight": weight, "fc.bias": weight[:, 0]})
        saved[step] = {"fc": np.load(folder / f"weights_{step}.npz")["fc.weight"]}
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


def onnx_files(folder: Path) -> Saved:
    """One ONNX graph a step."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    folder.mkdir()
    saved = {}
    for step in (1, 2):
        weight = np.random.default_rng(step).normal(size=(3, 5)).astype(np.float32)
        node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
        ends = [helper.make_tensor_value_info(name, kind, [1, size]) for name, size in (("x", 5), ("y", 3))]
        graph = helper.make_graph([node], "g", ends[:1], ends[1:], [onnx.numpy_helper.from_array(weight, "w")])
        onnx.save(helper.make_model(graph), folder / f"step{step}.onnx")
        again = onnx.load(folder / f"step{step}.onnx").graph.initializer[0]
        saved[step] = {"w": onnx.numpy_helper.to_array(again)}
    return folder, saved


def gguf_files(folder: Path) -> Saved:
    """One GGUF file a step, of eight-bit blocks that its own library dequantises."""
    gguf = pytest.importorskip("gguf")
    folder.mkdir()
    saved = {}
    for step in (1, 2):
        weight = np.random.default_rng(step).normal(size=(32, 64)).astype(np.float32)
        packed = gguf.quants.quantize(weight, gguf.GGMLQuantizationType.Q8_0)
        writer = gguf.GGUFWriter(folder / f"step{step}.gguf", "llama")
        writer.add_tensor("blk.0.attn_q.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        tensor = gguf.GGUFReader(folder / f"step{step}.gguf").tensors[0]
        saved[step] = {"blk.0.attn_q": gguf.quants.dequantize(tensor.data, tensor.tensor_type)}
    return folder, saved


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
