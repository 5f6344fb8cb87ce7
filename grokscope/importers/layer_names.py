"""Names of tensors as their authors meant them: without wrappers, optimizers and averaged copies."""

from __future__ import annotations

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
    return clean if len(set(clean.values())) == len(clean) else {name: name.replace("/", ".") for name in clean}


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


def depth_order(names: Iterable[str]) -> list[str]:
    """Sort names as a network's layers follow each other, where the file keeps no order.

    Natural in numbers (fc2 before fc10), embeddings first, heads last.
    """
    return sorted(names, key=lambda name: (_rank(name), _natural(name)))


FIRST = re.compile(
    r"(^|[._/])(embed|embeddings?|emb|wte|wpe|shared|tok|embed_(in|tokens|positions)|stem|patch_embed|conv1)($|[._/])"
)
LAST = re.compile(
    r"(^|[._/])(lm_head|head|heads|classifier|embed_out|unembed|score|cls|fc|output|logits)[._/][^._/]*$"
)


def _rank(name: str) -> int:
    if LAST.search(name):
        return 2
    return 0 if FIRST.search(name) and not re.search(r"[._/]\d+[._/].*(embed|conv1)", name) else 1


def first_of_tied(name: str) -> tuple[object, ...]:
    """Sort the names of one array: an embedding before the head that is tied to it, the shortest first."""
    return _rank(name), name.count("."), len(name), name


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


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
