"""Networks of the real libraries, tiny and with random weights, as strangers would train them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

TINY = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 32, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip


def of_transformers(name: str, **config: object) -> torch.nn.Module:
    """Build `nameConfig` and the model named first after it."""
    transformers = pytest.importorskip("transformers")
    family, _, task = name.partition(":")
    return getattr(transformers, family + task)(getattr(transformers, f"{family}Config")(**config))


def of_torchvision(name: str, *arguments: object, **options: object) -> torch.nn.Module:
    """Build a model of torchvision."""
    return getattr(pytest.importorskip("torchvision").models, name)(*arguments, **options)


def tied() -> torch.nn.Module:
    """A head that is its own embedding, as in language models, and a mask beside it."""
    model = nn.ModuleDict(
        {"tok": nn.Embedding(40, 8), "mlp": nn.Linear(8, 8), "head": nn.Linear(8, 40, bias=False)}
    )
    model["head"].weight = model["tok"].weight
    model.register_buffer("causal_mask", torch.tril(torch.ones(6, 6)))
    return model


def adapted() -> torch.nn.Module:
    """A network with adapters of low rank, as PEFT puts them in."""
    peft = pytest.importorskip("peft")
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 4))
    model = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=6, target_modules=["0"]))
    with torch.no_grad():
        model.base_model.model[0].lora_B["default"].weight.normal_()
    return model


ARCHITECTURES: dict[str, Callable[[], torch.nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3, bias=False)),
    "bare linear": lambda: nn.Linear(8, 6),
    "half precision": lambda: nn.Sequential(
        nn.Linear(8, 6).bfloat16(), nn.Linear(6, 5).half(), nn.Linear(5, 4).double()
    ),
    "lstm": lambda: nn.LSTM(5, 7, 2),
    "gru": lambda: nn.GRU(5, 7, bidirectional=True),
    "transformer encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False
    ),
    "attention of three sizes": lambda: nn.MultiheadAttention(8, 2, kdim=6, vdim=4),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 6)),
    "transposed convolution": lambda: nn.Sequential(nn.ConvTranspose2d(6, 4, 3), nn.Conv1d(4, 2, 3)),
    "tied": tied,
    "data parallel": lambda: nn.DataParallel(nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 3))),
    "adapters": adapted,
    "resnet18": lambda: of_torchvision("resnet18", num_classes=5),
    "squeezenet": lambda: of_torchvision("squeezenet1_1", num_classes=5),
    "vision transformer": lambda: of_torchvision("VisionTransformer", 32, 8, 2, 2, 16, 32, num_classes=5),
    "gpt2": lambda: of_transformers(
        "GPT2:LMHeadModel", vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0,
        eos_token_id=1,
    ),
    "bert": lambda: of_transformers("Bert:ForMaskedLM", **TINY),
    "llama": lambda: of_transformers("Llama:ForCausalLM", **TINY),
    "neox": lambda: of_transformers("GPTNeoX:ForCausalLM", **TINY),
    "t5": lambda: of_transformers(
        "T5:ForConditionalGeneration", vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    ),
    "mixtral": lambda: of_transformers("Mixtral:ForCausalLM", **TINY, num_local_experts=4, num_key_value_heads=1),
    "whisper": lambda: of_transformers(
        "Whisper:ForConditionalGeneration", vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
        max_source_positions=16, max_target_positions=16, num_mel_bins=8, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    ),
}  # fmt: skip
