"""Names of tensors as their authors meant them: without wrappers, optimizers and averaged copies."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

WRAPPERS = re.compile(r"(?<![^./])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile and the parallel wrappers put into names."""
PREFIXES = ("module.", "model.", "base_model.model.", "params.")
CONTAINERS = re.compile(
    r"(model_?)?(state_?dict|params|weights|variables)|model|net|network|module|state|ema|item", re.I
)
OPTIMIZERS = re.compile(
    r"optim|sched|scaler|(^|_)(opt|adam|sgd|rng|random|loops|callbacks|amp|grads?)(_|$)|exp_avg", re.I
)
"""Containers beside a network: what the training needs to go on."""
AVERAGED = re.compile(r"(^|_)(ema|swa|polyak|shadow|averaged|avg_model|target_(net|network|model))\d*($|_)", re.I)


def is_of_optimizer(name: str) -> bool:
    """Tell whether a tensor is of what a training needs to go on, by the containers that it lies in."""
    *containers, leaf = name.split("/")
    return any(OPTIMIZERS.search(part) for part in containers) or leaf.startswith("exp_avg")


def averaged_copy(name: str) -> str:
    """Return the container or first module of an averaged copy of the network that a tensor is of, else ""."""
    *containers, leaf = name.split("/")
    for part in (*containers, leaf.split(".")[0] if "." in leaf else ""):
        if AVERAGED.search(part):
            return part
    return ""


def cleaned(names: Iterable[str], matrices: Sequence[str]) -> dict[str, str]:
    """Map each name to what it is without wrappers, and the containers and prefixes that all matrices share."""
    clean = {name: WRAPPERS.sub("", name) for name in names}
    deciding = [WRAPPERS.sub("", name) for name in matrices]
    while shared := _shared(deciding):
        deciding = [name.removeprefix(shared) for name in deciding]
        clean = {name: text.removeprefix(shared) for name, text in clean.items()}
    clean = {name: text.replace("/", ".") for name, text in clean.items()}
    if len(set(clean.values())) == len(clean):
        return clean
    return dict(zip(clean, unlike(name.replace("/", ".") for name in clean), strict=True))


def unlike(names: Iterable[str]) -> list[str]:
    """Return names of which no two are equal: where one is taken, the later keeps a number behind it."""
    taken: dict[str, None] = {}
    for name in names:
        numbered = (f"{name}~{count}" for count in itertools.count(2))
        taken[next(one for one in itertools.chain((name,), numbered) if one not in taken)] = None
    return list(taken)


def _shared(names: Sequence[str]) -> str:
    """A container or prefix that all names begin with, and that says nothing about any of them."""
    if not names:
        return ""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in names):
            return prefix
    container, slash, _ = names[0].partition("/")
    if not slash or not all(name.startswith(container + slash) for name in names):
        return ""
    is_word = CONTAINERS.fullmatch(container) is not None
    return (
        container + slash
        if is_word or all("." in name or "/" in name[len(container) + 1 :] for name in names)
        else ""
    )


IN_USE = (
    "wte", "embed_tokens", "word_embeddings", "wpe", "embed_positions", "position_embeddings", "encoder",
    "decoder", "self_attn", "self_attention", "selfattention", "attention", "attn", "encoder_attn",
    "crossattention", "cross_attn", "encdecattention", "self", "in_proj_weight", "query_key_value", "qkv",
    "c_attn", "q_proj", "q_lin", "query", "q", "k_proj", "k_lin", "key", "k", "v_proj", "v_lin", "value",
    "v", "o_proj", "out_proj", "out_lin", "o", "mlp", "ffn", "feed_forward", "gate", "gate_proj",
    "gate_up_proj", "up_proj", "down_proj", "c_fc", "dense_h_to_4h", "dense_4h_to_h", "c_proj", "squeeze",
)  # fmt: skip
"""Words for parts of a network in the order in which an input meets them."""
FIRST = re.compile(
    r"^(embed|embeddings?|emb|wte|wpe|shared|tok|embed_(in|tokens|positions)|(tok|pos)_emb(edding)?s?|stem|patch_embed"
    r"|conv1|conv_proj|class_token|cls_token)$",
    re.IGNORECASE,
)
LAST = re.compile(
    r"^(lm_head|head|heads|classifier|embed_out|unembed|score|cls|fc|output|proj_out|logits)$", re.IGNORECASE
)


def depth_order(names: Iterable[str]) -> list[str]:
    """Sort names as a network's layers follow each other, where the file keeps no order.

    Embeddings first, heads last, blocks by their numbers (fc2 before fc10), in a block attention before what
    follows it, and parts in the order of IN_USE.
    """
    return sorted(names, key=lambda name: (_rank(name), _natural(name)))


def _rank(name: str) -> int:
    """Return 0 for what stands before the blocks, 2 for what follows them, 1 for all else."""
    words = re.split(r"[./]", name)
    number = next((place for place, word in enumerate(words) if word.isdigit()), len(words))
    around = words[:number]  # what is called so within a block is a part of that block
    if any(LAST.match(word) for word in around):
        return 2
    return 0 if any(FIRST.match(word) for word in around) else 1


def first_of_tied(name: str) -> tuple[object, ...]:
    """Sort the names of one array: an embedding before the head that is tied to it, the shortest first."""
    return _rank(name), name.count("."), len(name), name


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [_place_of(part) for word in re.split(r"[./]", name) for part in _parts(word)]


def _parts(word: str) -> list[str]:
    """A known word stays whole, the numbers of any other count as numbers."""
    return [word] if word.lower() in IN_USE else [part for part in re.split(r"(\d+)", word) if part]


def _place_of(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return 0, int(part), ""
    known = part.lower()
    return (1, IN_USE.index(known), "") if known in IN_USE else (2, 0, part)


BIASES = (
    (re.compile(r"(^|\.)weight$"), r"\1bias"),
    (re.compile(r"(^|\.)kernel$"), r"\1bias"),
    (re.compile(r"_weight$"), "_bias"),
    (re.compile(r"(^|\.)weight_(ih|hh)_"), r"\1bias_\2_"),
    (re.compile(r"(^|\.)W_(\w+)$"), r"\1b_\2"),
    (re.compile(r"$"), "_bias"),
)
"""How the bias of a weight is called."""


def bias_of(name: str, known: Mapping[str, object]) -> str:
    """Return the name of the bias that belongs to a weight, "" where there is none."""
    for weight, bias in BIASES:
        if weight.search(name):
            found = weight.sub(bias, name, count=1)
            return found if found in known and found != name else ""
    return ""


def layer_name(name: str) -> str:
    """Return a layer's name: that of the module where the tensor is its `weight` or `kernel`."""
    return re.sub(r"(^|\.)(weight|kernel|embeddings?)$", "", re.sub(r"_weight$", "", name)) or "layer"
