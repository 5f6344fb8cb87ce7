"""What is a layer is decided from names, shapes and dtypes, and alike for a file and for the model in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers import layers_of, read_tensors
from grokscope.importers.composed_weights import ADAPTER, Scale
from grokscope.importers.layer_names import depth_order
from grokscope.importers.stored import StoredTensor, StoredTensors
from grokscope.importers.tensors import LayerSource, widened
from grokscope.recorder.model import stored_tensors

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from tests.importers.architectures import ARCHITECTURES  # noqa: E402


def stored(tensors: dict[str, NDArray[np.generic]], **extra: object) -> StoredTensors:
    """A checkpoint in memory."""
    return StoredTensors(
        Path("model"),
        {
            name: StoredTensor(array.shape, array.dtype.name, lambda array=array: array)
            for name, array in tensors.items()
        },
        extra,
    )


def recorded_tensors(model: torch.nn.Module) -> StoredTensors:
    """A model's tensors as they are recorded."""
    return stored_tensors(model, model.state_dict())


def described(layers: list[LayerSource]) -> list[tuple[object, ...]]:
    """All of each layer but what a tie to another name adds to its note, which safetensors does not keep."""
    return sorted((layer.name, layer.shape, layer.kind, layer.dtype, layer.bias is not None) for layer in layers)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_file_has_the_layers_of_the_model_that_was_saved(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name]()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    safetensors.save_model(model, tmp_path / "model.safetensors")
    in_memory, in_file = recorded_tensors(model), read_tensors(tmp_path / "model.pt")
    of_model, of_file = layers_of(in_memory)[0], layers_of(in_file)[0]
    if name == "adapters":  # the file does not say how much the adapter weighs
        assert {layer.name for layer in of_file} - {layer.name for layer in of_model} == {"0.lora"}
        return
    assert [layer.name for layer in of_file] == [layer.name for layer in of_model]
    assert described(of_file) == described(of_model)
    assert described(layers_of(read_tensors(tmp_path / "model.safetensors"))[0]) == described(of_model)
    for mine, theirs in zip(of_file, of_model, strict=True):
        weight = mine.weight(in_file)
        assert weight.shape == mine.shape
        assert np.array_equal(weight, theirs.weight(in_memory))
        assert mine.bias is None or mine.bias(in_file).shape == mine.shape[:1]


def layers_by_name(tensors: StoredTensors) -> dict[str, LayerSource]:
    """The layers of a checkpoint by their names."""
    return {layer.name: layer for layer in layers_of(tensors)[0]}


def test_gpt2_is_turned_and_its_attention_split_as_its_own_modules_compute() -> None:
    model = ARCHITECTURES["gpt2"]()
    tensors = recorded_tensors(model)
    layers = layers_by_name(tensors)
    attention = model.transformer.h[0].attn
    x = torch.randn(3, 16)
    q, k, v = attention.c_attn(x).split(16, dim=1)
    for letter, expected in zip("qkv", (q, k, v), strict=True):
        layer = layers[f"transformer.h.0.attn.c_attn.{letter}"]
        assert layer.bias is not None
        got = x.numpy() @ layer.weight(tensors).T + layer.bias(tensors)
        assert np.allclose(got, expected.detach().numpy(), atol=1e-5)
    square = layers["transformer.h.0.attn.c_proj"]  # 16 × 16: only its sisters tell how it lies
    assert np.array_equal(square.weight(tensors), attention.c_proj.weight.detach().numpy().T)


def test_nanogpt_has_the_same_names_and_is_not_turned() -> None:
    rng = np.random.default_rng(0)
    for bias in (True, False):
        state = {
            "h.0.attn.c_attn.weight": rng.normal(size=(24, 8)),
            "h.0.attn.c_proj.weight": rng.normal(size=(8, 8)),
        }
        if bias:
            state["h.0.attn.c_attn.bias"] = rng.normal(size=24)
        layers = layers_by_name(tensors := stored(state))
        assert np.array_equal(layers["h.0.attn.c_attn.k"].weight(tensors), state["h.0.attn.c_attn.weight"][8:16])
        assert np.array_equal(layers["h.0.attn.c_proj"].weight(tensors), state["h.0.attn.c_proj.weight"])


def test_multi_head_attention_is_three_layers() -> None:
    attention = torch.nn.MultiheadAttention(8, 2)
    tensors = recorded_tensors(attention)
    layers = layers_by_name(tensors)
    assert list(layers) == ["in_proj.q", "in_proj.k", "in_proj.v", "out_proj"]
    assert np.array_equal(layers["in_proj.v"].weight(tensors), attention.in_proj_weight[16:].detach().numpy())


def test_heads_are_joined_to_the_matrices_that_act() -> None:
    rng = np.random.default_rng(0)
    to_heads, from_heads, theirs = (rng.normal(size=shape) for shape in ((3, 8, 2), (3, 2, 8), (3, 2, 8)))
    tensors = stored({"blocks.0.attn.W_Q": to_heads, "blocks.0.attn.W_O": from_heads, "other.W_K": theirs})
    layers = layers_by_name(tensors)
    x = rng.normal(size=8)
    q = np.einsum("d,hdk->hk", x, to_heads)  # TransformerLens
    assert np.allclose(layers["blocks.0.attn.W_Q"].weight(tensors) @ x, q.reshape(-1))
    assert np.allclose(
        layers["blocks.0.attn.W_O"].weight(tensors) @ q.reshape(-1), np.einsum("hk,hkd->d", q, from_heads)
    )
    assert np.allclose(layers["other.W_K"].weight(tensors) @ x, np.einsum("d,hkd->hk", x, theirs).reshape(-1))
    assert layers["blocks.0.attn.W_Q"].note == "3 heads joined"


def test_experts_are_slices_and_say_so() -> None:
    experts = np.random.default_rng(0).normal(size=(4, 6, 5))
    layers = layers_by_name(
        tensors := stored({"mlp.experts.down_proj": experts, "mlp.experts.down_proj_bias": experts[:, :, 0]})
    )
    assert list(layers) == [f"mlp.experts.down_proj.{index}" for index in range(4)]
    third = layers["mlp.experts.down_proj.2"]
    assert np.array_equal(third.weight(tensors), experts[2])
    assert third.bias is not None
    assert np.array_equal(third.bias(tensors), experts[2, :, 0])
    assert third.note == "expert 3 of 4"


def test_weight_norm_is_measured_as_the_weight_that_acts() -> None:
    for make in (torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.weight_norm):
        with pytest.warns() if make is torch.nn.utils.weight_norm else _quiet():
            module = make(torch.nn.Conv1d(4, 6, 3))
        module(torch.zeros(1, 4, 5))
        tensors = recorded_tensors(module)
        (layer,) = layers_of(tensors)[0]
        assert np.allclose(layer.weight(tensors), module.weight.detach().numpy(), rtol=1e-6)


def _quiet() -> object:
    import contextlib

    return contextlib.nullcontext()


def test_pruned_weights_are_measured_without_what_was_pruned() -> None:
    from torch.nn.utils import prune

    module = prune.l1_unstructured(torch.nn.Linear(6, 5), "weight", amount=0.5)
    tensors = recorded_tensors(module)
    (layer,) = layers_of(tensors)[0]
    assert np.array_equal(layer.weight(tensors), module.weight.detach().numpy())


def test_each_adapter_has_the_scale_of_its_own_layer() -> None:
    state = {
        f"model.{layer}.{name}.weight": np.ones(shape)
        for layer in ("0", "1.0")
        for name, shape in (("base_layer", (3, 4)), ("lora_A.d", (2, 4)), ("lora_B.d", (3, 2)))
    }
    scales = {
        f"{ADAPTER}model.{layer}.lora_A.d.weight": Scale(factor) for layer, factor in (("1.0", 5.0), ("0", 2.0))
    }
    layers = layers_by_name(stored(state, **scales))
    assert {name: layer.note for name, layer in layers.items()} == {"0": "W + 2·BA", "1.0": "W + 5·BA"}


def test_adapters_without_a_scale_stand_each_alone() -> None:
    state = {f"0.lora_A.{name}.weight": np.ones((2, 4)) for name in ("d", "e")}
    state |= {f"0.lora_B.{name}.weight": np.ones((3, 2)) for name in ("d", "e")}
    assert list(layers_by_name(stored(state))) == ["0.lora", "0.lora.e"]


@pytest.mark.parametrize(
    ("name", "shape", "kind", "note"),
    [
        ("patch_embed.proj", (8, 3, 4, 4), "conv", ""),
        ("time_embed.0", (32, 8), "linear", ""),
        ("embed_out", (5000, 8), "linear", ""),
        ("wte", (5000, 8), "embedding", ""),
        ("model.embed_tokens", (5000, 8), "embedding", ""),
        ("shared", (40, 8), "linear", "may be an embedding"),
        ("tok", (40, 8), "linear", "may be an embedding"),
        ("wpe", (64, 8), "linear", "may be an embedding"),
    ],
)
def test_an_embedding_is_told_by_its_shape(name: str, shape: tuple[int, ...], kind: str, note: str) -> None:
    state = {f"{name}.weight": np.zeros(shape, np.float32), "other.weight": np.zeros((4, 4), np.float32)}
    if name == "time_embed.0":
        state[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    layer = layers_by_name(stored(state))[name]
    assert (layer.kind, layer.note) == (kind, note)


@pytest.mark.parametrize(
    ("name", "outputs", "kind", "shape", "note"),
    [
        ("0", 6, "conv", (6, 4, 3, 3), "transposed, as its bias tells"),
        ("0", 0, "conv", (4, 6, 3, 3), ""),
        ("up1.deconv", 0, "conv", (4, 6, 3, 3), "may be transposed: nothing tells its inputs from its outputs"),
        ("up1.deconv", 4, "conv", (4, 6, 3, 3), ""),
        ("bilinear", 4, "other", (4, 6, 3, 3), ""),
    ],
)
def test_a_kernel_whose_axes_may_be_exchanged_says_so(
    name: str, outputs: int, kind: str, shape: tuple[int, ...], note: str
) -> None:
    state = {f"{name}.weight": np.zeros((4, 6, 3, 3), np.float32)}
    state |= {f"{name}.bias": np.zeros(outputs, np.float32)} if outputs else {}
    layer = layers_by_name(stored(state))[name]
    assert (layer.kind, layer.shape, layer.note) == (kind, shape, note)


def test_an_embedding_is_told_by_the_head_that_has_its_words() -> None:
    layer = layers_by_name(stored({"tok.weight": np.zeros((40, 8)), "lm_head.weight": np.zeros((40, 8))}))["tok"]
    assert layer.kind == "embedding"


def test_what_is_left_out_is_listed_with_its_reason() -> None:
    state = {
        "fc.weight": np.zeros((3, 4)),
        "fc.bias": np.zeros(3),
        "causal_mask": np.ones((5, 5)),
        "h.attn.bias": np.ones((1, 1, 7, 7)),
        "table": np.zeros((2, 3), np.int8),
        "cls_token": np.zeros((1, 1, 6)),
        "empty.weight": np.zeros((0, 4)),
    }
    layers, left_out = layers_of(stored(state))
    assert [layer.name for layer in layers] == ["fc"]
    assert {one.name: one.reason for one in left_out} == {
        "causal_mask": "a fixed table by its name, not trained",
        "h.attn.bias": "a fixed table by its name, not trained",
        "table": "not floats but int8",
        "cls_token": "a vector: its shape is (1, 1, 6)",
        "empty.weight": "it has no entries",
    }


def test_a_tied_head_is_measured_once() -> None:
    layers = layers_of(recorded_tensors(ARCHITECTURES["tied"]()))[0]
    assert [(layer.name, layer.note) for layer in layers] == [
        ("tok", "tied: also head.weight; may be an embedding"), ("mlp", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "base_model.model."])
def test_prefixes_that_all_names_share_are_stripped(prefix: str) -> None:
    layers = layers_by_name(stored({f"{prefix}a.weight": np.zeros((2, 2)), f"{prefix}b.weight": np.zeros((2, 2))}))
    assert list(layers) == ["a", "b"]


def test_a_prefix_that_one_name_lacks_says_something() -> None:
    layers = layers_by_name(stored({"model.a.weight": np.zeros((2, 2)), "lm_head.weight": np.zeros((2, 2))}))
    assert list(layers) == ["model.a", "lm_head"]


def test_an_averaged_copy_is_a_choice() -> None:
    state = {"model/fc.weight": np.zeros((3, 4)), "model_ema/fc.weight": np.ones((3, 4))}
    tensors = stored(state)
    layers, left_out = layers_of(tensors)
    assert [(layer.name, layer.weight(tensors).max()) for layer in layers] == [("fc", 0)]
    assert [one.name for one in left_out] == ["model_ema"]
    chosen, _ = layers_of(tensors, network="model_ema")
    assert [(layer.name, layer.weight(tensors).max()) for layer in chosen] == [("fc", 1)]
    with pytest.raises(UsageError, match="it holds model_ema"):
        layers_of(tensors, network="swa")


def test_optimizers_are_passed_over() -> None:
    state = {"model/fc.weight": np.zeros((3, 4)), "optimizer/state/0/exp_avg": np.zeros((3, 4))}
    layers, left_out = layers_of(stored(state))
    assert [layer.name for layer in layers] == ["fc"]
    assert left_out == []


def test_codes_are_dequantised_by_the_scales_beside_them() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(6, 300)).astype(np.float32)
    largest = np.abs(weight).max(axis=1)
    int8 = np.round(weight / largest[:, None] * 127).astype(np.int8)  # LLM.int8
    tensors = stored({"fc.weight": int8, "fc.SCB": largest, "fc.weight_format": np.zeros((), np.uint8)})
    (layer,) = layers_of(tensors)[0]
    assert np.abs(layer.weight(tensors) - weight).max() < 0.51 * largest.max() / 127
    assert layer.note == "dequantised from int8"

    codes = torch.tensor(weight / 0.02).to(torch.float8_e4m3fn)
    blocks = np.full((1, 3), 0.02, np.float32)
    for scale in (np.float32([0.02]), np.full((6, 1), 0.02, np.float32), blocks):
        fp8 = StoredTensor((6, 300), "float8_e4m3fn", lambda: codes.view(torch.uint8).numpy())
        tensors = StoredTensors(
            Path("m"), {"fc.weight": fp8, "fc.weight_scale_inv": stored({"s": scale}).tensors["s"]}
        )
        (layer,) = layers_of(tensors)[0]
        assert np.allclose(layer.weight(tensors), codes.float().numpy() * 0.02, rtol=1e-6)
    assert np.array_equal(widened(codes.view(torch.uint8).numpy(), "float8_e4m3fn"), codes.float().numpy())


@pytest.mark.parametrize("name", ["q.qweight", "q.weight_packed", "q.weight.absmax", "q.weight.quant_state.x"])
def test_packed_codes_are_refused_in_one_sentence(name: str) -> None:
    state = {"emb.weight": np.zeros((4, 4)), name: np.zeros((4, 4), np.int32), "q.weight.quant_map": np.zeros(16)}
    if name.startswith(("q.qweight", "q.weight_packed")):
        del state["q.weight.quant_map"]
    with pytest.raises(UsageError, match="dequantise the model") as raised:
        layers_of(stored(state))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        ("fc.weight", np.zeros((4, 4), np.int8), r"no layer \(fc\.weight: not floats but int8\)"),
        ("w", np.ones((1, 30)), r"no layer \(w: a vector: its shape is \(1, 30\)\)"),
        ("bias", np.ones(30), "no float tensor of two or more axes"),
    ],
)
def test_a_model_without_a_layer_is_refused_with_its_reason(name: str, array: np.ndarray, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        layers_of(stored({name: array}))


@pytest.mark.parametrize(
    "names",
    [
        ["conv1", "blocks.0.conv1", "blocks.0.fc", "blocks.2.conv1", "blocks.10.conv1", "fc"],
        ["features.0", "features.12", "classifier.1", "classifier.6"],
        ["shared", "encoder.block.0.k", "encoder.block.9.k", "decoder.block.0.k", "lm_head"],
        ["wte", "wpe", "h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj", "h.1.attn.c_attn"],
        [
            "layers.1.self_attn.q_proj",
            "layers.1.self_attn.o_proj",
            "layers.1.mlp.up_proj",
            "layers.1.mlp.down_proj",
        ],
        ["fc1", "fc2", "fc10"],
    ],
)
def test_names_without_an_order_stand_as_a_network_uses_them(names: list[str]) -> None:
    """Embeddings first, heads last, a head's name within a block is a part of that block."""
    weights = [f"{name}.weight" for name in names]
    assert depth_order(sorted(weights)) == weights
    assert depth_order(sorted(weights, reverse=True)) == weights


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "mixtral", "resnet18", "squeezenet", "mlp"])
def test_safetensors_has_the_layers_in_the_order_of_the_model(tmp_path: Path, name: str) -> None:
    model = ARCHITECTURES[name]()
    safetensors.save_model(model, tmp_path / "model.safetensors")
    in_file = [layer.name for layer in layers_of(read_tensors(tmp_path / "model.safetensors"))[0]]
    assert in_file == [layer.name for layer in layers_of(recorded_tensors(model))[0]]
