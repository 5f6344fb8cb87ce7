"""Every layout that the real libraries write is read bit for bit as those libraries read it."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers import layers_of, read_many, read_tensors, sniff
from grokscope.importers.stored import StoredTensors
from grokscope.importers.tensors import widened

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


def network() -> torch.nn.Module:
    """Layers of every float dtype, a convolution and buffers."""
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), *(nn.Linear(9, 7).to(dtype) for dtype in DTYPES))


def values(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A tensor as PyTorch itself widens it."""
    return tensor.detach().double().numpy() if tensor.is_floating_point() else tensor.numpy()


def assert_same(tensors: StoredTensors, state: Mapping[str, torch.Tensor], prefix: str = "") -> None:
    """Hold every tensor against PyTorch's, bit for bit."""
    for name, tensor in state.items():
        found = widened(tensors.read(prefix + name), tensors.dtype(prefix + name))
        assert tensors.dtype(prefix + name) == str(tensor.dtype).removeprefix("torch.")
        assert tensors.shape(prefix + name) == found.shape == tuple(tensor.shape)
        assert np.array_equal(found, values(tensor)), name


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
    "numpy": (lambda model: {"state": model.state_dict(), "weights": np.arange(6.0).reshape(2, 3)}, "state/"),
}  # fmt: skip


def adam(model: torch.nn.Module) -> dict[str, Any]:
    """The state of an optimizer that has made a step."""
    parameters = [parameter for parameter in model.parameters() if parameter.element_size() > 1]
    optimizer = torch.optim.Adam(parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


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


def test_safetensors_alone_and_in_shards(tmp_path: Path) -> None:
    state = network().state_dict()
    safetensors.save_file(state, tmp_path / "alone.safetensors", metadata={"format": "pt"})
    assert_same(read_tensors(tmp_path / "alone.safetensors"), state)
    assert isinstance(read_tensors(tmp_path / "alone.safetensors").read("2.weight").base, np.ndarray | memoryview)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["one", "shards", "bin", "bin shards"])
def test_a_folder_of_transformers(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    model = transformers.GPT2LMHeadModel(config)
    if "bin" not in kind:
        model.save_pretrained(tmp_path, max_shard_size="10KB" if kind == "shards" else "1GB")
        (tmp_path / "trainer_state.json").write_text('{"global_step": 500, "epoch": 1.5}')
    else:
        names = list(model.state_dict())
        halves = [names[:9], names[9:]] if kind == "bin shards" else [names]
        files = [f"pytorch_model-{part}.bin" for part in range(2)] if len(halves) > 1 else ["pytorch_model.bin"]
        for file, half in zip(files, halves, strict=True):
            torch.save({name: model.state_dict()[name] for name in half}, tmp_path / file)
        if len(halves) > 1:
            index = {name: file for file, half in zip(files, halves, strict=True) for name in half}
            (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
    tensors = read_tensors(tmp_path)
    kept = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    assert_same(tensors, kept)
    assert len(tensors.files) == len(list(tmp_path.glob("*.safetensors")) + list(tmp_path.glob("*.bin")))
    assert tensors.extra.get("global_step") == (None if "bin" in kind else 500)
    tensors.files[0].unlink()
    if "shards" in kind:
        with pytest.raises(UsageError, match="lacks"):
            read_tensors(tmp_path)


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


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_numpy(tmp_path: Path, save: Callable[..., None]) -> None:
    arrays = {
        "fc.weight": np.random.default_rng(0).normal(size=(6, 5)), "half": np.ones((3, 4), np.float16),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(6.0, dtype=">f8").reshape(2, 3),
    }  # fmt: skip
    save(tmp_path / "a.npz", **arrays, step=7, losses=np.array([0.5, 0.25]))
    tensors = read_tensors(tmp_path / "a.npz")
    assert tensors.extra == {"step": 7, "losses": [0.5, 0.25]}
    for name, array in arrays.items():
        assert np.array_equal(tensors.read(name), array)


def test_objects_in_an_archive_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", objects=np.array([[{}, []], [1, 2]], dtype=object), w=np.ones((2, 3)))
    layers, left_out = layers_of(read_tensors(tmp_path / "a.npz"))
    assert [layer.name for layer in layers] == ["w"]
    assert [(one.name, one.reason) for one in left_out] == [("objects", "not floats but objects")]


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")
def test_keras(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.DepthwiseConv2D(3), layers.Flatten(),
         layers.Dense(5, name="read_out")]
    )  # fmt: skip
    path = tmp_path / f"model{ending}"
    (model.save_weights if ending == ".weights.h5" else model.save)(path)
    tensors = read_tensors(path)
    found = {layer.name: layer for layer in layers_of(tensors)[0]}
    convolution, depthwise, _, dense = model.layers
    assert np.array_equal(found["read_out"].weight(tensors), keras.ops.convert_to_numpy(dense.kernel).T)
    assert np.array_equal(
        next(layer for name, layer in found.items() if name.startswith("conv2d")).weight(tensors),
        keras.ops.convert_to_numpy(convolution.kernel).transpose(3, 2, 0, 1),
    )
    kernel = keras.ops.convert_to_numpy(depthwise.kernel)
    (layer,) = [layer for name, layer in found.items() if name.startswith("depthwise")]
    assert np.array_equal(layer.weight(tensors)[:, 0], kernel[..., 0].transpose(2, 0, 1))
    assert found["read_out"].bias is not None
    assert found["read_out"].bias(tensors).shape == (5,)


def test_flax(tmp_path: Path) -> None:
    flax = pytest.importorskip("flax")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jnp = pytest.importorskip("jax.numpy")
    rng = np.random.default_rng(0)
    dense, heads = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(6, 2, 3)).astype(np.float32)
    half = jnp.asarray(dense, jnp.bfloat16)
    tree = {"params": {"Dense_0": {"kernel": dense, "bias": dense[0]}, "Attention_0": {"query": {"kernel": heads}},
                       "Dense_1": {"kernel": half}, "Embed_0": {"embedding": dense}}}  # fmt: skip
    content = flax.serialization.to_bytes({**tree, "step": 7, "opt_state": {"mu": tree}})
    (tmp_path / "checkpoint_7").write_bytes(content)
    tensors = read_tensors(tmp_path / "checkpoint_7")
    layers = {layer.name: layer for layer in layers_of(tensors)[0]}
    assert list(layers) == ["Dense_0", "Attention_0.query", "Dense_1", "Embed_0"]
    assert np.array_equal(layers["Dense_0"].weight(tensors), dense.T)
    assert np.array_equal(layers["Attention_0.query"].weight(tensors), heads.reshape(6, 6).T)
    assert np.array_equal(
        widened(layers["Dense_1"].weight(tensors), "bfloat16"), np.asarray(half).astype(np.float32).T
    )
    assert (layers["Embed_0"].kind, layers["Embed_0"].shape) == ("embedding", (5, 4))
    assert tensors.extra == {"step": 7}


@pytest.mark.filterwarnings("ignore")
def test_orbax(tmp_path: Path) -> None:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    orbax = pytest.importorskip("orbax.checkpoint")
    kernel = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    orbax.PyTreeCheckpointer().save(tmp_path / "orbax", {"params": {"Dense_0": {"kernel": kernel}}, "step": 7})
    tensors = read_tensors(tmp_path / "orbax")
    (layer,) = layers_of(tensors)[0]
    assert np.array_equal(layer.weight(tensors), kernel.T)
    assert tensors.extra == {"step": 7}


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "orbax").mkdir()
    (tmp_path / "orbax" / "_CHECKPOINT_METADATA").touch()
    for module, path, extra in (("gguf", "model.gguf", "gguf"), ("orbax.checkpoint", "orbax", "orbax")):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingPackage, match=rf"grokscope\[{extra}\]"):
            read_tensors(tmp_path / path)


@pytest.mark.parametrize("external", [False, True])
def test_onnx(tmp_path: Path, external: bool) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    rng = np.random.default_rng(0)
    right, left = rng.normal(size=(4, 5)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["y"]),
        helper.make_node("Gemm", ["y", "b", "c"], ["z"], transB=1),
    ]
    weights = [onnx.numpy_helper.from_array(right, "a"), onnx.numpy_helper.from_array(left, "b")]
    weights.append(helper.make_tensor("c", kind, [3], [1.0, 2.0, 3.0]))
    ends = [helper.make_tensor_value_info(name, kind, [1, size]) for name, size in (("x", 4), ("z", 3))]
    model = helper.make_model(helper.make_graph(nodes, "graph", ends[:1], ends[1:], weights))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=external, location="m.bin", size_threshold=0)
    tensors = read_tensors(tmp_path / "m.onnx")
    layers = {layer.name: layer.weight(tensors) for layer in layers_of(tensors)[0]}
    assert np.array_equal(layers["a"], right.T)
    assert np.array_equal(layers["b"], left)
    assert tensors.read("c").tolist() == [1, 2, 3]


def test_gguf(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    weight = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("f32.weight", weight)
    kinds = {name: gguf.GGMLQuantizationType[name] for name in ("Q8_0", "Q4_0", "BF16")}
    packed = {name: gguf.quants.quantize(weight, kind) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        writer.add_tensor(f"{name}.weight", packed[name], raw_dtype=kind)
    for write in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
        writer.close,
    ):
        write()
    tensors = read_tensors(tmp_path / "m.gguf")
    assert np.array_equal(tensors.read("f32.weight"), weight)
    for name, kind in kinds.items():
        found = widened(tensors.read(f"{name}.weight"), tensors.dtype(f"{name}.weight"))
        assert np.array_equal(found, gguf.quants.dequantize(packed[name], kind))


def test_an_adapter_folder_has_its_alpha(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(8, 12)), peft.LoraConfig(r=2, lora_alpha=6, target_modules=["0"])
    )
    with torch.no_grad():
        (B := model.base_model.model[0].lora_B["default"].weight).normal_()
    model.save_pretrained(tmp_path)
    tensors = read_tensors(tmp_path)
    (layer,) = layers_of(tensors)[0]
    assert (layer.name, layer.shape, layer.note) == ("0.lora", (12, 8), "the adapter alone, BA")
    A = model.base_model.model[0].lora_A["default"].weight
    assert np.allclose(layer.weight(tensors), 3 * (B @ A).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("labels", ["epoch_{}", "{}", "step-{}"])
def test_many_checkpoints_under_labels(tmp_path: Path, labels: str) -> None:
    models = {step: network().state_dict() for step in (10, 200)}
    torch.save(
        {labels.format(step): state for step, state in models.items()} | {"losses": [1.0, 2.0]}, tmp_path / "m.pt"
    )
    many = read_many(tmp_path / "m.pt")
    assert many is not None
    word = "epoch" if "epoch" in labels else "step"
    assert [one.extra for one in many] == [{"losses": 1.0, word: 10}, {"losses": 2.0, word: 200}]
    for one, state in zip(many, models.values(), strict=True):
        assert_same(one, state)


def test_many_checkpoints_in_a_list_with_curves_beside(tmp_path: Path) -> None:
    curve = np.linspace(1, 0, 300).tolist()
    content = {
        "model": network().state_dict(),
        "checkpoints": [network().state_dict() for _ in range(3)],
        "checkpoint_epochs": [0, 100, 200],
        "train_losses": curve,
        "test_losses": [3.0, 2.0, 1.0],
    }
    torch.save(content, tmp_path / "grokking_demo.pth")
    many = read_many(tmp_path / "grokking_demo.pth")
    assert many is not None
    assert [one.extra["epoch"] for one in many] == [0, 100, 200]
    assert [one.extra["train_losses"] for one in many] == [curve[0], curve[100], curve[200]]
    assert [one.extra["test_losses"] for one in many] == [3, 2, 1]


def test_one_checkpoint_is_not_many(tmp_path: Path) -> None:
    torch.save({"model": network().state_dict(), "optimizer": adam(network())}, tmp_path / "m.pt")
    assert read_many(tmp_path / "m.pt") is None


def test_equal_weights_have_equal_crcs_whatever_lies_beside_them(tmp_path: Path) -> None:
    for step in (1, 2):
        torch.save({"model": network().state_dict(), "step": step}, tmp_path / f"{step}.pt")
    changed = network()
    with torch.no_grad():
        changed[2].weight[0, 0] += 1
    torch.save({"model": changed.state_dict(), "step": 3}, tmp_path / "3.pt")
    first, second, third = (read_tensors(tmp_path / f"{step}.pt").crc32() for step in (1, 2, 3))
    assert first == second != third


def saved(kind: str) -> bytes:
    """A whole checkpoint."""
    file = io.BytesIO()
    state = {"fc.weight": torch.randn(30, 20)}
    if kind == "safetensors":
        return bytes(safetensors.save(state))
    torch.save(state, file, _use_new_zipfile_serialization=kind == "zip")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    content, path = saved(kind), tmp_path / "model"
    for length in (1, 5, 12, 60, len(content) // 2, len(content) - 10, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UsageError) as raised:
            read_tensors(path).read("fc.weight")
        assert "breaks off" in str(raised.value) or length < 9


def test_one_flipped_bit_is_seen_by_the_crc(tmp_path: Path) -> None:
    content = bytearray(saved("zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith("data/0"))
    content[entry.header_offset + 200] ^= 1
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(UsageError, match="CRC"):
        read_tensors(tmp_path / "model.pt").read("fc.weight")


def test_a_file_without_crcs_is_read(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        (tmp_path / "model.pt").write_bytes(saved("zip"))
    finally:
        torch.serialization.set_crc32_options(before)
    assert read_tensors(tmp_path / "model.pt").read("fc.weight").shape == (30, 20)


def test_what_torch_cannot_show_as_numbers_is_left_out(tmp_path: Path) -> None:
    dense = torch.ones(4, 5)
    state = {
        "fc.weight": dense,
        "sparse.weight": dense.to_sparse(),
        "meta.weight": torch.ones(3, 3, device="meta"),
    }
    state["quantised.weight"] = torch.quantize_per_tensor(dense, 0.1, 0, torch.qint8)
    torch.save(state, tmp_path / "model.pt")
    layers, left_out = layers_of(read_tensors(tmp_path / "model.pt"))
    assert [layer.name for layer in layers] == ["fc"]
    assert [one.name for one in left_out] == ["sparse.weight", "meta.weight", "quantised.weight"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello", "begins with b'hello'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"\x80\x02}q\x00.", "holds no tensors"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "step-1.pt").write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_tensors(tmp_path / "step-1.pt")


def test_tensors_that_pickle_wrote_are_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"fc.weight": torch.zeros(2, 3)}))
    with pytest.raises(UsageError, match=r"was written by `pickle\.dump`"):
        read_tensors(tmp_path / "model.pkl")


def test_names_do_not_tell_the_format(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(saved("safetensors"))
    (tmp_path / "model.safetensors").write_bytes(saved("zip"))
    assert (sniff(tmp_path / "model.pt"), sniff(tmp_path / "model.safetensors")) == ("safetensors", "pytorch")
    shutil.rmtree(tmp_path)
    assert sniff(tmp_path) is None
