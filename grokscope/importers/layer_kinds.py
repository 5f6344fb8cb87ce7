"""What a layer is: its kind, its bias, and what the reader should know of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.importers.layer_names import bias_of, layer_name
from grokscope.importers.layer_parts import FLOATS, Part, Read
from grokscope.importers.layer_pieces import HEADS
from grokscope.importers.stored import size_of
from grokscope.importers.tensors import LayerSource, Tensors, widened

KINDS = {2: "linear", 3: "conv", 4: "conv", 5: "conv"}
EMBEDDINGS = re.compile(
    r"(^|[._])(\w*emb(ed(ding)?s?)?|embed_\w+|wte|wpe|shared|tok|token|tokens|W_E|W_pos|vocab|positions?)$", re.I
)
HEAD_NAMES = re.compile(r"out|head|unembed|proj|logit|classif|decoder$", re.I)
HEADS_OF_WORDS = re.compile(r"(^|[._])(lm_head|unembed|W_U|embed_out|head|logits|to_logits)$")
VOCABULARY, TALL = 1000, 4


def layer_of(piece: Part, whole: Part, parts: dict[str, Part], tied: Sequence[str]) -> LayerSource:
    name = layer_name(piece.name)
    piece = piece.with_note(f"tied: also {', '.join(tied)}") if tied else piece
    kind = KINDS.get(len(piece.shape), "other") if "bilinear" not in name.lower() else "other"
    if whole.name.endswith((".embedding", ".embeddings")):
        kind = "embedding"
    elif _looks_like_embedding(name, whole, parts):
        if _is_vocabulary(whole, parts):
            kind = "embedding"
        else:
            piece = piece.with_note("may be an embedding")
    return LayerSource(name, piece.shape, kind, piece.dtype, piece.read, _bias(piece, whole, parts), piece.note)


def _looks_like_embedding(name: str, part: Part, parts: dict[str, Part]) -> bool:
    leaf = name.rpartition(".")[2]
    has_bias = bool(bias_of(part.name, parts))
    return (
        len(part.long_axes) == 2
        and not has_bias
        and EMBEDDINGS.search(leaf) is not None
        and not HEAD_NAMES.search(leaf)
    )


def _is_vocabulary(part: Part, parts: dict[str, Part]) -> bool:
    """Tell a table of a row a word: many more rows than columns, or as many rows as a head has outputs."""
    if part.shape[0] >= VOCABULARY and part.shape[0] >= TALL * part.shape[-1]:
        return True
    heads = (other for name, other in parts.items() if HEADS_OF_WORDS.search(layer_name(name)))
    return any(len(head.shape) == 2 and part.shape[0] in head.shape for head in heads)


def _bias(piece: Part, whole: Part, parts: dict[str, Part]) -> Read | None:
    """Return how the bias is read that has a value for each of the layer's outputs; None where none has."""
    bias = parts.get(bias_of(whole.name, parts))
    if bias is None or bias.dtype not in FLOATS:
        return None
    rows = piece.shape[0]
    if bias.shape == (rows,):
        return _numbers(bias, slice(None))
    letter = piece.name.rpartition(".")[2]
    if letter in ("q", "k", "v") and bias.shape == (3 * rows,):
        first = "qkv".index(letter) * rows
        return _numbers(bias, slice(first, first + rows))
    if letter.isdecimal() and bias.shape == (whole.shape[0], rows):
        return _numbers(bias, int(letter))
    if size_of(bias.shape) == rows and HEADS.search(whole.name):
        return _numbers(bias, slice(None))
    return None


def _numbers(bias: Part, rows: slice | int) -> Read:
    def read(tensors: Tensors) -> NDArray[Any]:
        return np.asarray(widened(bias.read(tensors)[rows], bias.dtype)).reshape(-1)

    return read
