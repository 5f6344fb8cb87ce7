"""What other libraries write is read bit for bit as they read it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch as safetensors
import torch

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers import layers_of, read_tensors
from grokscope.importers.messagepack import Unpacker
from grokscope.importers.stored import Bytes
from grokscope.importers.tensors import widened
from tests.importers.written import assert_same, network


def test_safetensors_alone(tmp_path: Path) -> None:
    state = network().state_dict()
    safetensors.save_file(state, tmp_path / "alone.safetensors", metadata={"format": "pt"})
    assert_same(read_tensors(tmp_path / "alone.safetensors"), state)
    assert isinstance(read_tensors(tmp_path / "alone.safetensors").read("2.weight").base, np.ndarray | memoryview)


SAVED = {".safetensors": safetensors.save_file, ".bin": torch.save}
ONE, TWO = torch.full((2, 3), 1.0), torch.full((2, 3), 2.0)


def in_shards(folder: Path, suffix: str, *shards: dict[str, torch.Tensor], index: str = "") -> list[Path]:
    """Save shards, and an index that gives each name the number of its shard."""
    files = [folder / f"model-{number:05}-of-{len(shards):05}{suffix}" for number in range(1, len(shards) + 1)]
    for file, shard in zip(files, shards, strict=True):
        SAVED[suffix](shard, file)
    if index:
        weight_map = {name: files[int(number) - 1].name for name, number in zip("ab", index, strict=True)}
        (folder / f"model{suffix}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return files


@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("index", ["", "12"])
def test_any_shard_is_opened_with_its_set(tmp_path: Path, suffix: str, index: str) -> None:
    files = in_shards(tmp_path, suffix, {"a": ONE}, {"b": TWO}, index=index)
    for file in files:
        tensors = read_tensors(file)
        assert_same(tensors, {"a": ONE, "b": TWO})
        assert tensors.files == tuple(files)


@pytest.mark.parametrize("suffix", SAVED)
def test_a_shard_gives_what_the_index_has_there(tmp_path: Path, suffix: str) -> None:
    shards = in_shards(tmp_path, suffix, {"a": ONE}, {"a": 3 * ONE, "b": TWO}, index="12")
    index = tmp_path / f"model{suffix}.index.json"
    assert_same(read_tensors(index), {"a": ONE, "b": TWO})
    assert index in read_tensors(index).files, "it decided, so that a change of it changes the weights"
    in_shards(tmp_path, suffix, {"a": ONE}, {"b": TWO}, index="11")
    with pytest.raises(UsageError, match=r"00001-of-00002\S* lacks b"):
        read_tensors(shards[0])


@pytest.mark.parametrize("suffix", SAVED)
def test_a_set_of_shards_that_is_not_whole_or_not_one_is_refused(tmp_path: Path, suffix: str) -> None:
    first, second = in_shards(tmp_path, suffix, {"a": ONE}, {"a": TWO})
    with pytest.raises(UsageError, match="holds a in two shards"):
        read_tensors(first)
    second.unlink()
    with pytest.raises(UsageError, match="one of 2 shards"):
        read_tensors(first)


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
def test_values_are_those_that_were_packed(tmp_path: Path) -> None:
    msgpack = pytest.importorskip("msgpack")

    def unpacked(value: object) -> Any:
        (tmp_path / "packed").write_bytes(msgpack.packb(value))
        return Unpacker(Bytes(tmp_path / "packed")).value()

    values = [None, True, False, *(sign * 2**power for power in range(63) for sign in (1, -1)), 0.5, "", "a" * 40]
    values += ["b" * 300, "c" * 70_000, list(range(20)), list(range(70_000)), {str(n): n for n in range(20)}]
    assert unpacked(values) == values
    for length in (0, 300, 70_000):
        assert bytes(unpacked(bytes(length))) == bytes(length)
    array = msgpack.ExtType(1, msgpack.packb(((2, 2), "float32", bytes(16))))
    long = msgpack.ExtType(1, msgpack.packb(((100, 2), "float32", bytes(800))))
    short = msgpack.ExtType(9, b"1234")
    unknown, read, longer = unpacked([short, array, long])
    assert (read.shape, longer.shape, unknown) == ((2, 2), (100, 2), None)


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
        with pytest.raises(MissingPackage, match=rf"`pip install '\.\[{extra}\]'`"):
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
    assert [file.name for file in tensors.files] == ["m.onnx", "m.bin"][: 1 + external]
    if external:
        (tmp_path / "m.bin").unlink()
        with pytest.raises(UsageError, match=r"lacks 'm.bin'"):
            read_tensors(tmp_path / "m.onnx")


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
    assert tmp_path / "adapter_config.json" in tensors.files
    (layer,) = layers_of(tensors)[0]
    assert (layer.name, layer.shape, layer.note) == ("0.lora", (12, 8), "the adapter alone, BA")
    A = model.base_model.model[0].lora_A["default"].weight
    assert np.allclose(layer.weight(tensors), 3 * (B @ A).detach().numpy(), atol=1e-6)
