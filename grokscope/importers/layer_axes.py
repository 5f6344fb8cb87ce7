"""How the axes of a weight lie: [out, in, ...] as PyTorch has them, turned, or channels last."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grokscope.importers.layer_names import bias_of
from grokscope.importers.layer_parts import Part
from grokscope.importers.stored import CHANNELS_LAST, size_of

CONV1D = re.compile(r"(^|\.)(c_attn|c_proj|c_fc|q_attn)\.weight$")

TRANSPOSED = re.compile(r"deconv|transpos|conv_?t\d*\.|upconv|(^|[._])up\d*\.weight$", re.I)


def conv1d_is_turned(weights: Sequence[Part], parts: dict[str, Part]) -> bool:
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


def oriented(part: Part, parts: dict[str, Part], conv1d: bool) -> Part:
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
    if len(part.shape) > 2 and turned:
        return part.turned().with_note("transposed, as its bias tells")
    if len(part.shape) > 2 and turned is None and TRANSPOSED.search(part.name):
        return part.with_note("may be transposed: nothing tells its inputs from its outputs")
    if turned or (turned is None and conv1d and CONV1D.search(part.name)):
        return part.turned()
    return part
