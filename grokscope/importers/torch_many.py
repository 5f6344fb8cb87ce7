"""One file of PyTorch's with many checkpoints: a list of state dicts with losses beside it, or one dict a step."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokscope.importers.layer_names import OPTIMIZERS
from grokscope.importers.pytorch import read_tree
from grokscope.importers.stored import StoredTensors
from grokscope.importers.torch_tree import Found, flattened, plain
from grokscope.runfile import LeftOut

LABEL = re.compile(r"^(?P<word>[a-z]+)?[\s_=:-]*(?P<number>\d+)$", re.I)
STEP_WORDS = {"epoch": "epoch", "epochs": "epoch", "ep": "epoch", "iter": "iter", "iteration": "iter"}
STEP_LISTS = re.compile(r"(^|_)(steps?|epochs?|iters?|iterations?)$", re.I)
SERIES = re.compile(r"checkpoint|ckpt|snapshot|histor|traject|epoch|step|iter", re.I)
QUALITY = re.compile(r"loss|acc|err|perplexity", re.I)
FEWEST = 2


@dataclass(frozen=True)
class Series:
    """Checkpoints of one network: their contents, their labels, and the values that lie beside all of them.

    `is_worded` where the labels are not numbers alone: `epoch_10`.
    """

    contents: Sequence[Any]
    labels: Sequence[tuple[str, int] | None]
    beside: Mapping[str, Any]
    is_worded: bool = False


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
    left_out = tuple(LeftOut(name, "beside the checkpoints of the file") for name in _with_matrices(series.beside))
    return [
        StoredTensors(path, one.tensors, _own(one, steps[index], index, len(found), curves), (path,), left_out)
        for index, one in enumerate(found)
    ]


def _series(tree: Any) -> Series | None:
    """Find the checkpoints: the object itself, or what lies in it under some name."""
    if (alone := _entries(tree)) is not None and _is_series("checkpoints", alone):
        return alone
    if not isinstance(tree, dict):
        return None
    for name, value in tree.items():
        if OPTIMIZERS.search(str(name)) or (inner := _entries(value)) is None:
            continue
        others = {str(other): entry for other, entry in tree.items() if other != name}
        series = dataclasses.replace(inner, beside={**inner.beside, **others})
        if _is_series(str(name), series):
            return series
    return None


def _entries(node: Any) -> Series | None:
    """Return what a list holds, or a dict under labels, where all have the same matrices."""
    if isinstance(node, list | tuple):
        found = Series(list(node), [None] * len(node), {})
    elif isinstance(node, dict):
        labels = {name: _label(name) for name in node}
        names = [name for name, label in labels.items() if label is not None and isinstance(node[name], dict)]
        beside = {str(name): value for name, value in node.items() if name not in names}
        worded = any(isinstance(name, str) and not name.isdecimal() for name in names)
        found = Series([node[name] for name in names], [labels[name] for name in names], beside, worded)
    else:
        return None
    return found if len(found.contents) >= FEWEST and _alike(found.contents) else None


def _is_series(name: str, series: Series) -> bool:
    """Tell checkpoints of one network from its blocks, its experts or an ensemble, which are as alike.

    Where each has its step they are checkpoints, whatever lies beside them. Else the name of what holds them says
    so, or a curve with a value for each; and no matrix lies beside them but those of a further copy.
    """
    count = len(series.contents)
    if series.is_worded or _steps_beside(series.beside, count) or _know_their_steps(series.contents):
        return True
    curves = [name for name, values in _curves(series.beside).items() if len(values) == count]
    copy = sorted(_shapes(series.contents[0]).values())
    return bool(SERIES.search(name) or any(map(QUALITY.search, curves))) and all(
        sorted(shapes.values()) == copy for shapes in _with_matrices(series.beside).values()
    )


def _know_their_steps(contents: Sequence[Any]) -> bool:
    """Tell entries of which each says its own step."""
    for name in contents[0]:
        if isinstance(name, str) and STEP_LISTS.search(name):
            steps = {step for one in contents if isinstance(step := plain(one.get(name)), int | float)}
            if len(steps) == len(contents):
                return True
    return False


def _with_matrices(beside: Mapping[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shapes of the matrices beside checkpoints, those of optimizers aside."""
    shapes = {name: _shapes({name: value}) for name, value in beside.items() if not OPTIMIZERS.search(name)}
    return {name: found for name, found in shapes.items() if found}


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
    return _steps_beside(series.beside, count) or [None] * count


def _steps_beside(beside: Mapping[str, Any], count: int) -> list[tuple[str, int] | None]:
    for name, value in beside.items():
        numbers = plain(value)
        word = STEP_LISTS.search(name)
        if (
            word
            and isinstance(numbers, list)
            and len(numbers) == count
            and all(float(n).is_integer() for n in numbers)
        ):
            return [(STEP_WORDS.get(word[2].lower(), "step"), int(number)) for number in numbers]
    return []


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
