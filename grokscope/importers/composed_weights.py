"""Weights that a checkpoint keeps in pieces: normalised, pruned, with an adapter, or quantised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.layer_parts import Part, computed

Parts = dict[str, Part]


def composed(parts: Parts, extra: Mapping[str, object], path: object) -> Parts:
    """Put together what belongs together, and take the pieces away.

    Raises UsageError where weights are packed in a way that is not known here.
    """
    refuse_packed(parts, path)
    for compose in (_dequantise, _normalise, _pruned):
        parts = compose(dict(parts))
    parts = _adapted(dict(parts), extra)
    return dict(sorted(parts.items(), key=lambda named: named[1].place))


PACKED = {
    "qweight": "GPTQ or AWQ",
    "weight_packed": "compressed-tensors",
    "weight.absmax": "bitsandbytes in 4 bits",
    "weight.quant_map": "bitsandbytes in 4 bits",
    "_blocks": "MXFP4",
    "packed_weight": "packed integers",
}


def refuse_packed(parts: Parts, path: object) -> None:
    """Raise UsageError where several codes share a number: taking those for weights would be wrong."""
    for name in parts:
        for ending, method in PACKED.items():
            if name.endswith(ending) and (
                ending != "_blocks" or name.removesuffix("_blocks") + "_scales" in parts
            ):
                raise UsageError(
                    f"{path} holds packed codes ({name}, {method}), not weights; "
                    "dequantise the model, save it in float16, and open that"
                )


SCALES = (".SCB", ".weight_scale", ".weight_scale_inv", ".scale_weight")
INT8_RANGE = 127
"""LLM.int8: a row's codes times its largest magnitude (SCB) over 127 (bitsandbytes, `int8_vectorwise_dequant`)."""
CODES = ("int8", "float8_e4m3fn", "float8_e5m2")


def _dequantise(parts: Parts) -> Parts:
    for name, part in list(parts.items()):
        base = name.removesuffix(".weight")
        ending = next((ending for ending in SCALES if base + ending in parts), "")
        if not name.endswith(".weight") or part.dtype not in CODES or not ending:
            continue
        scale = parts.pop(base + ending)
        parts.pop(f"{base}.weight_format", None)
        over = INT8_RANGE if ending == ".SCB" else 1
        parts[name] = computed(
            part, [scale], lambda codes, scale, over=over: codes * _spread(scale, codes.shape) / over
        ).with_note(f"dequantised from {part.dtype}")
    return parts


def _spread(scale: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Bring scales to the shape of the codes: one for all, one a row, or one a block.

    Raises UsageError where they fit in no way.
    """
    if scale.size == 1:
        return scale.reshape(())
    if scale.shape in ((shape[0],), (shape[0], *(1,) * (len(shape) - 1))):
        return scale.reshape(shape[0], *(1,) * (len(shape) - 1))
    if scale.ndim == len(shape) == 2:
        block = _block(scale.shape, shape)
        rows, columns = (np.arange(length) // block for length in shape)
        return scale[np.ix_(rows, columns)]
    raise UsageError(f"scales of shape {scale.shape} fit no weight of shape {shape}; save it dequantised")


def _block(scales: tuple[int, ...], shape: tuple[int, ...]) -> int:
    for block in (128, 64, 32, 256, -(-shape[0] // scales[0])):
        if all(-(-length // block) == count for length, count in zip(shape, scales, strict=True)):
            return block
    raise UsageError(f"scales of shape {scales} fit no weight of shape {shape}; save it dequantised")


NORMALISED = (
    (re.compile(r"\bweight_v$"), "weight_g", "weight"),
    (re.compile(r"\bparametrizations\.weight\.original1$"), "parametrizations.weight.original0", "weight"),
)


def _normalise(parts: Parts) -> Parts:
    """Weight normalisation: W = g·V/‖V‖, the norm over the axes that g lacks (Salimans & Kingma, 2016)."""
    for name, part in list(parts.items()):
        for direction, magnitude, whole in NORMALISED:
            length = parts.get(direction.sub(magnitude, name))
            if not direction.search(name) or length is None or len(part.shape) < 2:
                continue
            del parts[name], parts[length.name]
            made = direction.sub(whole, name)
            parts[made] = computed(part, [length], _scaled, name=made).with_note("g·V/‖V‖")
    return parts


def _scaled(direction: NDArray[Any], length: NDArray[Any]) -> NDArray[Any]:
    axes = tuple(axis for axis in range(direction.ndim) if length.ndim == 0 or length.shape[axis] == 1)
    norm = np.sqrt((direction**2).sum(axis=axes, keepdims=True))
    return np.asarray(direction * (length / norm))


def _pruned(parts: Parts) -> Parts:
    """Pruning keeps a weight and its mask; other parametrizations keep the weight before them."""
    for name, part in list(parts.items()):
        if name.endswith("weight_orig"):
            made, mask = name.removesuffix("_orig"), parts.pop(name.removesuffix("orig") + "mask", None)
        elif name.endswith("parametrizations.weight.original"):
            made, mask = name.replace("parametrizations.weight.original", "weight"), None
        else:
            continue
        del parts[name]
        whole = (
            computed(part, [mask], lambda weight, mask: weight * mask, name=made).with_note("pruned")
            if mask
            else part.moved(part.shape, lambda array: array, name=made).with_note("before its parametrization")
        )
        parts[made] = whole
    return parts


LOW_RANK = re.compile(r"^(?P<base>.+)\.lora_A(?:\.(?P<adapter>[^.]+))?\.weight$")
ADAPTER = "lora of "


class Scale(NamedTuple):
    """What an adapter's product is multiplied by, alpha/r, and whether its base lies as [in, out] (GPT-2's)."""

    factor: float
    turned: bool = False


def _adapted(parts: Parts, extra: Mapping[str, object]) -> Parts:
    """Adapters of low rank: W + s·B·A with s = alpha/r (Hu et al., 2021, §4.1); or W, or B·A, alone."""
    for name, down in list(parts.items()):
        found = LOW_RANK.match(name)
        up = parts.get(name.replace(".lora_A", ".lora_B")) if found else None
        if found is None or up is None or len(down.shape) != 2 or len(up.shape) != 2:
            continue
        del parts[name], parts[up.name]
        base, scale, shape = found["base"], _scale(extra, name), (up.shape[0], down.shape[1])
        whole = f"{base}.weight"
        weight = parts.pop(f"{base}.base_layer.weight", None) or parts.pop(whole, None)
        if weight is not None and scale is not None and weight.shape == (shape[::-1] if scale.turned else shape):
            parts[whole] = computed(weight, [down, up], partial(_with_adapter, scale), name=whole).with_note(
                f"W + {scale.factor:g}·BA"
            )
            continue
        if weight is not None:
            parts[whole] = weight.moved(weight.shape, lambda array: array, name=whole).with_note(
                "without its adapter, whose scale is not known"
            )
        alone = f"{base}.lora.weight"
        if alone in parts:
            alone = f"{base}.lora.{found['adapter']}.weight"
        factor = scale.factor if scale else 1.0
        parts[alone] = computed(
            up, [down], lambda B, A, s=factor: np.float32(s) * (B @ A), name=alone, shape=shape
        ).with_note("the adapter alone, BA")
    return {name.replace(".base_layer.", "."): _renamed(part) for name, part in parts.items()}


def _with_adapter(scale: Scale, weight: NDArray[Any], down: NDArray[Any], up: NDArray[Any]) -> NDArray[Any]:
    product = up @ down
    return np.asarray(weight + np.float32(scale.factor) * (product.T if scale.turned else product))


def _renamed(part: Part) -> Part:
    name = part.name.replace(".base_layer.", ".")
    return part if name == part.name else part.moved(part.shape, lambda array: array, name=name)


def _scale(extra: Mapping[str, object], name: str) -> Scale | None:
    """Return the scale of the adapter whose A is the tensor `name`, None where it is not known.

    A model in memory tells it under ADAPTER and the tensor's whole name, of which `name` lacks the prefix that all
    share; a file by its configuration.
    """
    own = [key for key in extra if key.startswith(ADAPTER) and f".{key[len(ADAPTER) :]}".endswith(f".{name}")]
    known = extra[min(own, key=len)] if own else None
    if isinstance(known, Scale):
        return known
    alpha, rank = extra.get("adapter.lora_alpha"), extra.get("adapter.r")
    if not isinstance(alpha, int | float) or not isinstance(rank, int | float) or not rank:
        return None
    return Scale(float(alpha) / float(rank) ** (0.5 if extra.get("adapter.use_rslora") else 1))
