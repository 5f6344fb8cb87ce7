"""A tensor cut or folded into the matrices that act: experts, heads, and attention's stacked projections."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator

from grokscope.importers.layer_axes import oriented
from grokscope.importers.layer_names import bias_of, layer_name
from grokscope.importers.layer_parts import Part
from grokscope.importers.stored import CHANNELS_LAST, size_of

MOST_SLICES = 4096
STACKED = re.compile(r"(^|\.)(in_proj_weight|c_attn\.weight|qkv\.weight|Wqkv\.weight|to_qkv\.weight)$")
MIXED = re.compile(r"(^|\.)(query_key_value|qkv_proj|qkv|Wqkv|c_attn|gate_up_proj|to_kv|kv_proj)(\.weight)?$")
EXPERTS = re.compile(r"(^|[._])(experts?|moe)($|[._])")
HEADS = re.compile(r"(^|\.)(W_(Q|K|V|O)|((query|key|value)(_dense)?|out|output_dense|attention_output)\.kernel)$")
FROM_HEADS = re.compile(r"(^|\.)(W_O|(out|output_dense|attention_output)\.kernel)$")


def pieces(part: Part, parts: dict[str, Part], conv1d: bool) -> Iterator[Part]:
    """Cut or fold a tensor into its matrices [out, in] and kernels [out, in, ...]."""
    if EXPERTS.search(part.name) and len(part.shape) == 3:
        yield from _slices(part, "expert", parts)
    elif HEADS.search(part.name) and len(part.shape) == 3:
        yield _joined_heads(part)
    elif len(part.shape) == 3 and not part.is_weight and part.shape[0] <= MOST_SLICES:
        yield from _slices(part, "matrix", parts)
    elif len(part.shape) > 3 and not part.is_weight:
        rows = part.shape[0]
        yield part.moved((rows, size_of(part.shape[1:])), lambda array: array.reshape(rows, -1)).with_note(
            f"axes {part.shape[1:]} joined"
        )
    else:
        yield from _projections(oriented(part, parts, conv1d))


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
