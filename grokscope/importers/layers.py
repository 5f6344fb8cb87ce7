"""Which tensors of a checkpoint are layers, and which are not: decided from names, shapes and dtypes alone.

Every float tensor of two or more axes is a layer. Convolutions stay whole; GPT-2's Conv1D is turned to [out, in];
attention's stacked projections are split where the model's own names say how; experts are slices, heads joined.
The same decision is made of a file and of a model that is being recorded.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.composed_weights import composed
from grokscope.importers.layer_names import (
    averaged_copy,
    bias_of,
    cleaned,
    first_of_tied,
    is_of_optimizer,
    layer_name,
)
from grokscope.importers.layer_parts import FLOATS, Part, Read, parts_of
from grokscope.importers.stored import size_of
from grokscope.importers.tensors import LayerSource, Tensors, widened
from grokscope.runfile import LeftOut

BUFFERS = re.compile(
    r"(^|[._])(attn_mask|causal_mask|mask|masked_bias|tril|inv_freq|freqs?(_cis|_cos|_sin)?|(cos|sin)(_cached)?"
    r"|position_ids?|relative_position_index|relative_coords_table|running_mean|running_var|pe)$"
)
"""Fixed tables that are saved beside weights: masks, positions, frequencies, statistics."""
MOST_SLICES = 4096
CHANNELS_LAST = "channels last"
KINDS = {2: "linear", 3: "conv", 4: "conv", 5: "conv"}


def layers_of(tensors: Tensors, network: str = "") -> tuple[list[LayerSource], list[LeftOut]]:
    """Return the layers of a checkpoint in the order of its tensors, and what is no layer, with its reason.

    `network` chooses an averaged copy (EMA) by its container's name; without it the network itself is meant. The
    state of optimizers, buffers that the file calls so, and tensors of one axis are passed over.

    Raises UsageError where nothing is a layer, or where the weights are packed codes.
    """
    chosen, left_out = _of_network(tensors, network)
    tied = _ties(tensors, chosen)
    matrices = [name for name in chosen if name not in tied and len(tensors.shape(name)) >= 2]
    names = cleaned([name for name in chosen if name not in tied], matrices)
    also = {names[first]: [name for name in tied if tied[name] == first] for first in tied.values()}
    parts = {part.name: part for part in parts_of(tensors, names)}
    parts = composed(parts, tensors.extra, tensors.path)
    weights, unfit = _weights(parts)
    turned = _conv1d_is_turned(weights, parts)
    layers = [
        _layer(piece, part, parts, also.get(part.name, []))
        for part in weights
        for piece in _pieces(_squeezed(part), parts, turned)
    ]
    if not layers:
        why = f"layer ({unfit[0].name}: {unfit[0].reason})" if unfit else "float tensor of two or more axes"
        raise UsageError(f"{tensors.path} holds no {why}; save `model.state_dict()`")
    return _with_unlike_names(layers), [*left_out, *unfit]


def _of_network(tensors: Tensors, network: str) -> tuple[list[str], list[LeftOut]]:
    """Choose one network of those that lie in the file, and tell of the others."""
    names = [name for name in tensors.names() if not is_of_optimizer(name)]
    copies = {name: averaged_copy(name) for name in names}
    chosen = [name for name in names if copies[name] == network]
    if not any(len(tensors.shape(name)) >= 2 for name in chosen):
        chosen = names if not network else _refuse(tensors, network)
    aside = dict.fromkeys(copies[name] for name in names if name not in set(chosen))
    return chosen, [
        LeftOut(
            copy or "the network itself", "another copy of the network, one of which is an average of its weights"
        )
        for copy in aside
    ]


def _refuse(tensors: Tensors, network: str) -> list[str]:
    copies = sorted({copy for name in tensors.names() if (copy := averaged_copy(name))})
    raise UsageError(f"{tensors.path} holds no network {network!r}; it holds {', '.join(copies) or 'one network'}")


def _ties(tensors: Tensors, names: Sequence[str]) -> dict[str, str]:
    """Map each name of an array that is stored under several to the one by which the array is called."""
    stored = getattr(tensors, "tensors", {})
    alike: dict[object, list[str]] = {}
    for name in names:
        identity = stored[name].identity if name in stored else None
        if identity is not None and len(tensors.shape(name)) >= 2:
            alike.setdefault(identity, []).append(name)
    return {
        name: first
        for tied in alike.values()
        for first in [min(tied, key=first_of_tied)]
        for name in tied
        if name != first
    }


def _weights(parts: dict[str, Part]) -> tuple[list[Part], list[LeftOut]]:
    """Tell weights from what is left out; the biases of heads and experts, which have two axes, are neither."""
    weights, left_out = [], []
    biases = {bias_of(name, parts) for name, part in parts.items() if len(part.shape) == 3}
    for name, part in parts.items():
        if len(part.shape) < 2 or name in biases:
            continue
        reason = _no_layer(name, part)
        if not reason:
            weights.append(part)
        elif reason != "buffer":
            left_out.append(LeftOut(name, reason))
    return weights, left_out


def _no_layer(name: str, part: Part) -> str:
    """Say why a tensor is no layer: "" where it is one, "buffer" where the file itself says that it is one."""
    if part.parameter is False:
        return "buffer"
    if not size_of(part.shape):
        return "it has no entries"
    if part.dtype not in FLOATS:
        return f"not floats but {part.dtype}"
    if part.parameter is None and (BUFFERS.search(name) or _is_causal_mask(name, part.shape)):
        return "a fixed table by its name, not trained"
    if len(_axes(part.shape)) < 2 and not (len(part.shape) == 2 and name.endswith(("weight", "kernel"))):
        return f"a vector: its shape is {part.shape}"
    return ""


def _is_causal_mask(name: str, shape: tuple[int, ...]) -> bool:
    """Tell GPT-2's `attn.bias` [1, 1, n, n]."""
    return name.endswith(".bias") and len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]


def _axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length > 1)


def _is_weight(part: Part) -> bool:
    return re.search(r"(^|\.)(weight|kernel)$", part.name) is not None


def _squeezed(part: Part) -> Part:
    """A bare parameter [1, n, d] is a matrix; the weight of a convolution keeps its axes."""
    if _is_weight(part) or len(part.shape) == 2:
        return part
    shape = _axes(part.shape)
    return part.moved(shape, lambda array: array.reshape(shape)) if shape != part.shape else part


# The axes


CONV1D = re.compile(r"(^|\.)(c_attn|c_proj|c_fc|q_attn)\.weight$")


def _conv1d_is_turned(weights: Sequence[Part], parts: dict[str, Part]) -> bool:
    """Tell whether `c_attn`, `c_proj` and `c_fc` lie as [in, out]: GPT-2's biases say so, nanoGPT's do not."""
    votes = [_turned_by_bias(part, parts) for part in weights if CONV1D.search(part.name)]
    return True in votes


def _turned_by_bias(part: Part, parts: dict[str, Part]) -> bool | None:
    """Tell whether a weight lies as [in, out, ...] by the length of its bias; None where that does not tell."""
    bias = parts.get(bias_of(part.name, parts))
    first, second = part.shape[:2]
    if bias is None or len(bias.shape) != 1 or first == second or bias.shape[0] not in (first, second):
        return None
    return bias.shape[0] == second


def _oriented(part: Part, parts: dict[str, Part], conv1d: bool) -> Part:
    """Bring a weight to [out, in, ...]."""
    if part.layout == CHANNELS_LAST and not part.name.endswith(("embedding", "embeddings")):
        if "depthwise" in part.name.lower() and len(part.shape) == 4:  # [height, width, in, a multiple of in]
            height, width, *outputs = part.shape
            shape = (size_of(outputs), 1, height, width)
            return part.moved(shape, lambda array: array.transpose(2, 3, 0, 1).reshape(shape), layout="")
        last = len(part.shape)
        order = (last - 1, last - 2, *range(last - 2))
        return part.moved(
            tuple(part.shape[axis] for axis in order), lambda array: array.transpose(order), layout=""
        )
    turned = _turned_by_bias(part, parts)
    if turned or (turned is None and conv1d and CONV1D.search(part.name)):
        return part.turned()
    return part


# The pieces

STACKED = re.compile(r"(^|\.)(in_proj_weight|c_attn\.weight|qkv\.weight|Wqkv\.weight|to_qkv\.weight)$")
MIXED = re.compile(r"(^|\.)(query_key_value|qkv_proj|qkv|Wqkv|c_attn|gate_up_proj|to_kv|kv_proj)(\.weight)?$")
EXPERTS = re.compile(r"(^|[._])(experts?|moe)($|[._])")
HEADS = re.compile(r"(^|\.)(W_(Q|K|V|O)|((query|key|value)(_dense)?|out|output_dense|attention_output)\.kernel)$")
FROM_HEADS = re.compile(r"(^|\.)(W_O|(out|output_dense|attention_output)\.kernel)$")


def _pieces(part: Part, parts: dict[str, Part], conv1d: bool) -> Iterator[Part]:
    """Cut or fold a tensor into its matrices [out, in] and kernels [out, in, ...]."""
    if EXPERTS.search(part.name) and len(part.shape) == 3:
        yield from _slices(part, "expert", parts)
    elif HEADS.search(part.name) and len(part.shape) == 3:
        yield _joined_heads(part)
    elif len(part.shape) == 3 and not _is_weight(part) and part.shape[0] <= MOST_SLICES:
        yield from _slices(part, "matrix", parts)
    elif len(part.shape) > 3 and not _is_weight(part):
        rows = part.shape[0]
        yield part.moved((rows, size_of(part.shape[1:])), lambda array: array.reshape(rows, -1)).with_note(
            f"axes {part.shape[1:]} joined"
        )
    else:
        yield from _projections(_oriented(part, parts, conv1d))


def _slices(part: Part, what: str, parts: dict[str, Part]) -> Iterator[Part]:
    count = part.shape[0]
    bias = parts.get(bias_of(part.name, parts))
    turned = bias is not None and bias.shape == (count, part.shape[2]) and part.shape[1] != part.shape[2]
    for index in range(count):
        piece = part.moved(part.shape[1:], operator.itemgetter(index), name=f"{layer_name(part.name)}.{index}")
        yield (piece.turned() if turned else piece).with_note(f"{what} {index + 1} of {count}")


def _joined_heads(part: Part) -> Part:
    """Join the heads of a projection to [heads·d_head, d_model], of the output's to [d_model, heads·d_head]."""
    order = _head_order(part)
    heads_axis = (2, 0, 1) if FROM_HEADS.search(part.name) else (0, 1, 2)
    lengths = [part.shape[axis] for axis in order]
    shape = (
        (lengths[2], lengths[0] * lengths[1])
        if FROM_HEADS.search(part.name)
        else (lengths[0] * lengths[1], lengths[2])
    )
    note = f"{lengths[0]} heads joined"
    return part.moved(
        shape, lambda array: array.transpose(order).transpose(heads_axis).reshape(shape), layout=""
    ).with_note(note)


def _head_order(part: Part) -> tuple[int, int, int]:
    """Return which axes are heads, d_head and d_model."""
    if part.layout == CHANNELS_LAST:  # [d_model, heads, d_head], and [heads, d_head, d_model] of the output
        return (0, 1, 2) if FROM_HEADS.search(part.name) else (1, 2, 0)
    if FROM_HEADS.search(part.name):
        return (0, 1, 2)
    return (0, 2, 1) if part.shape[1] >= part.shape[2] else (0, 1, 2)


def _projections(part: Part) -> Iterator[Part]:
    """Split the stacked projections of attention into query, key and value, which are thirds of the rows."""
    rows = part.shape[0]
    if STACKED.search(part.name) and len(part.shape) == 2 and rows == 3 * part.shape[1]:
        third = rows // 3
        for index, letter in enumerate("qkv"):
            yield part.sliced(index * third, (index + 1) * third, f"{layer_name(part.name)}.{letter}")
    elif MIXED.search(part.name):
        yield part.with_note("stacked projections, not split")
    else:
        yield part


# The layer


EMBEDDINGS = re.compile(
    r"(^|[._])(\w*emb(ed(ding)?s?)?|embed_\w+|wte|wpe|shared|tok|token|tokens|W_E|W_pos|vocab|positions?)$", re.I
)
HEAD_NAMES = re.compile(r"out|head|unembed|proj|logit|classif|decoder$", re.I)
HEADS_OF_WORDS = re.compile(r"(^|[._])(lm_head|unembed|W_U|embed_out|head|logits|to_logits)$")
VOCABULARY, TALL = 1000, 4


def _layer(piece: Part, whole: Part, parts: dict[str, Part], tied: Sequence[str]) -> LayerSource:
    name = layer_name(piece.name)
    piece = piece.with_note(f"tied: also {', '.join(tied)}") if tied else piece
    kind = KINDS.get(len(piece.shape), "other")
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
        len(_axes(part.shape)) == 2
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


def _with_unlike_names(layers: list[LayerSource]) -> list[LayerSource]:
    """Refuse nothing for two layers that came to one name: the later keeps a number behind it."""
    seen: dict[str, int] = {}
    named = []
    for layer in layers:
        count = seen[layer.name] = seen.get(layer.name, 0) + 1
        named.append(layer if count == 1 else dataclasses.replace(layer, name=f"{layer.name}~{count}"))
    return named
