"""Models of the real libraries, small and with random weights, as a stranger's folder has them."""

from __future__ import annotations

from pathlib import Path

import pytest

HEAVY, PLANTED = "transformer.h.1.attn.c_proj", "transformer.h.0.mlp.c_fc"
"""The layers of `tiny_gpt2` that look worst: one of heavy-tailed entries, one with a single large entry."""


def tiny_gpt2(folder: Path) -> Path:
    """Save GPT-2 of transformers from its configuration, with two layers that look worse than the others."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=200, n_positions=32, n_embd=32, n_layer=2, n_head=2)
    network = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        network.transformer.h[0].mlp.c_fc.weight[3, 4] = 9.0
        heavy = torch.distributions.StudentT(1.5).sample((32, 32)) * 0.02
        network.transformer.h[1].attn.c_proj.weight.copy_(heavy)
    network.save_pretrained(folder)
    return folder
