"""One file of PyTorch's with many checkpoints: a list of state dicts with losses beside it, or one dict a step."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokscope.importers.pytorch import read_tree
from grokscope.importers.stored import StoredTensors
from grokscope.importers.torch_tree import Found, flattened, plain

LABEL = re.compile(r"^(?P<word>[a-z]+)?[\s_=:-]*(?P<number>\d+)$", re.I)
STEP_WORDS = {"epoch": "epoch", "epochs": "epoch", "ep": "epoch", "iter": "iter", "iteration": "iter"}
STEP_LISTS = re.compile(r"(^|_)(steps?|epochs?|iters?|iterations?)$", re.I)
FEWEST = 2


@dataclass(frozen=True)
class Series:
    """Checkpoints of one network: their contents, their labels, and the values that lie beside all of them."""

    contents: Sequence[Any]
    labels: Sequence[tuple[str, int] | None]
    beside: Mapping[str, Any]


def read_many_pytorch(path: Path) -> list[StoredTensors] | None:
    """Return the checkpoints of a file that holds several, in their order; None where it holds one or none.

    A checkpoint's own values are those beside its weights, `step` or `epoch` from its label, and of each list of
    numbers beside the checkpoints the value that belongs to it.
    """
    series = _series(read_tree(path))
    if series is None:
        return None
    found = [flattened(content) for content in series.contents]
    steps = _steps(series, len(found))
    curves = _curves(series.beside)
    return [
        StoredTensors(path, one.tensors, _own(one, steps[index], index, len(found), curves), files=(path,))
        for index, one in enumerate(found)
    ]


def _series(tree: Any) -> Series | None:
    """Find the checkpoints: the object itself, or what lies in it under some name."""
    if (contents := _list_of_networks(tree)) is not None:
        return Series(contents, [None] * len(contents), {})
    if not isinstance(tree, dict):
        return None
    if (labelled := _labelled(tree)) is not None:
        return labelled
    for name, value in tree.items():
        beside = {str(other): entry for other, entry in tree.items() if other != name}
        if (contents := _list_of_networks(value)) is not None:
            return Series(contents, [None] * len(contents), beside)
        if isinstance(value, dict) and (labelled := _labelled(value)) is not None:
            return Series(labelled.contents, labelled.labels, beside)
    return None


def _list_of_networks(node: Any) -> list[Any] | None:
    if not isinstance(node, list | tuple) or len(node) < FEWEST:
        return None
    return list(node) if _alike(node) else None


def _labelled(node: dict[Any, Any]) -> Series | None:
    labels = {name: _label(name) for name in node}
    names = [name for name, label in labels.items() if label is not None and isinstance(node[name], dict)]
    if len(names) < FEWEST or not _alike([node[name] for name in names]):
        return None
    beside = {str(name): value for name, value in node.items() if name not in names}
    return Series([node[name] for name in names], [labels[name] for name in names], beside)


def _label(name: Any) -> tuple[str, int] | None:
    """Read `epoch_10` as ("epoch", 10), and 10 as ("step", 10)."""
    if isinstance(name, int) and not isinstance(name, bool):
        return ("step", name)
    found = LABEL.match(name) if isinstance(name, str) else None
    word = (found["word"] or "step").lower() if found else ""
    if found is None or (word not in STEP_WORDS and word not in ("step", "steps", "checkpoint", "ckpt")):
        return None
    return STEP_WORDS.get(word, "step"), int(found["number"])


def _alike(nodes: Sequence[Any]) -> bool:
    """Tell checkpoints of one network, which have the same names and matrices, from the parts of one."""
    shapes = [_shapes(node) for node in (nodes[0], nodes[-1])]
    return bool(shapes[0]) and shapes[0] == shapes[1] and all(isinstance(node, dict) for node in nodes)


def _shapes(node: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(node, dict):
        return {}
    tensors = flattened(node).tensors
    return {name: tensor.shape for name, tensor in tensors.items() if len(tensor.shape) >= 2}


def _steps(series: Series, count: int) -> list[tuple[str, int] | None]:
    """The label of each checkpoint; where they have none, the list of numbers that is called steps or epochs."""
    if any(series.labels):
        return list(series.labels)
    for name, value in series.beside.items():
        numbers = plain(value)
        word = STEP_LISTS.search(name)
        if word and isinstance(numbers, list) and len(numbers) == count and all(n == int(n) for n in numbers):
            return [(STEP_WORDS.get(word[2].lower(), "step"), int(number)) for number in numbers]
    return [None] * count


def _curves(beside: Mapping[str, Any]) -> dict[str, list[float]]:
    lists = ((name, plain(value)) for name, value in beside.items())
    return {name: values for name, values in lists if isinstance(values, list)}


def _own(
    found: Found, step: tuple[str, int] | None, index: int, count: int, curves: Mapping[str, list[float]]
) -> dict[str, object]:
    """Values of one checkpoint: of a curve with one a checkpoint its own, of one with one a step that step's."""
    own: dict[str, object] = dict(found.extra)
    for name, values in curves.items():
        if len(values) == count:
            own[name] = values[index]
        elif step is not None and step[1] < len(values):
            own[name] = values[step[1]]
    if step is not None:
        own[step[0]] = step[1]
    return own
