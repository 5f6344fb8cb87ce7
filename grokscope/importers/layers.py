"""Which tensors of a checkpoint are layers, and which are not: decided from names, shapes and dtypes alone.

Every float tensor of two or more axes is a layer. Convolutions stay whole; GPT-2's Conv1D is turned to [out, in];
attention's stacked projections are split where the model's own names say how; experts are slices, heads joined.
The same decision is made of a file and of a model that is being recorded.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from grokscope.errors import UsageError
from grokscope.importers.composed_weights import composed
from grokscope.importers.layer_axes import conv1d_is_turned
from grokscope.importers.layer_kinds import layer_of
from grokscope.importers.layer_names import (
    averaged_copy,
    bias_of,
    cleaned,
    first_of_tied,
    is_of_optimizer,
    unlike,
)
from grokscope.importers.layer_parts import FLOATS, Part, parts_of
from grokscope.importers.layer_pieces import pieces
from grokscope.importers.stored import size_of
from grokscope.importers.tensors import LayerSource, Tensors
from grokscope.runfile import LeftOut

BUFFERS = re.compile(
    r"(^|[._])(attn_mask|causal_mask|mask|masked_bias|tril|inv_freq|freqs?(_cis|_cos|_sin)?|(cos|sin)(_cached)?"
    r"|position_ids?|relative_position_index|relative_coords_table|running_mean|running_var|pe)$"
)
"""Fixed tables that are saved beside weights: masks, positions, frequencies, statistics."""


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
    turned = conv1d_is_turned(weights, parts)
    layers = [
        layer_of(piece, part, parts, also.get(part.name, []))
        for part in weights
        for piece in pieces(_squeezed(part), parts, turned)
    ]
    if not layers:
        why = f"layer ({unfit[0].name}: {unfit[0].reason})" if unfit else "float tensor of two or more axes"
        raise UsageError(f"{tensors.path} holds no {why}; save `model.state_dict()`")
    called = unlike(layer.name for layer in layers)
    layers = [dataclasses.replace(layer, name=name) for layer, name in zip(layers, called, strict=True)]
    return layers, [*getattr(tensors, "left_out", ()), *left_out, *unfit]


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
    if len(part.long_axes) < 2 and not (len(part.shape) == 2 and name.endswith(("weight", "kernel"))):
        return f"a vector: its shape is {part.shape}"
    return ""


def _is_causal_mask(name: str, shape: tuple[int, ...]) -> bool:
    """Tell GPT-2's `attn.bias` [1, 1, n, n]."""
    return name.endswith(".bias") and len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]


def _squeezed(part: Part) -> Part:
    """A bare parameter [1, n, d] is a matrix; the weight of a convolution keeps its axes."""
    if part.is_weight or len(part.shape) == 2:
        return part
    shape = part.long_axes
    return part.moved(shape, lambda array: array.reshape(shape)) if shape != part.shape else part
