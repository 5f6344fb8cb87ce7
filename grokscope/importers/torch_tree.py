"""Whatever `torch.save` was given, as named tensors and plain values: a state dict in any wrapping, a module."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grokscope.importers.layer_names import OPTIMIZERS
from grokscope.importers.pickled_numpy import unpickled
from grokscope.importers.pickled_values import Stub
from grokscope.importers.stored import StoredTensor, size_of
from grokscope.importers.tensors import widened

DEEPEST = 32
MOST_PLAIN_VALUES = 10_000
CURVE = re.compile(r"loss|acc|err|step|epoch|iter|perplexity|lr|norm", re.I)
LONGEST_CURVE = 1_000_000
MODULE_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(eq=False)
class Found:
    """Tensors by name, a `/` between containers and a dot between modules; and plain values by name, with dots."""

    tensors: dict[str, StoredTensor] = field(default_factory=dict)
    extra: dict[str, object] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)


def flattened(tree: Any) -> Found:
    """Name all tensors and plain values of an unpickled object; the state of optimizers is passed over.

    A container that lies at several places is found at the first.
    """
    found = Found()
    _walk(tree, (), found)
    return found


def plain(value: Any) -> Any:
    """Return a number, text or list of numbers as plain Python; None for anything else."""
    if isinstance(value, Stub):
        value = unpickled(value)
    if isinstance(value, StoredTensor):
        value = widened(value.read(), value.dtype) if size_of(value.shape) <= LONGEST_CURVE else None
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist() if value.ndim <= 1 and value.dtype.kind in "biuf" else None
    if isinstance(value, list | tuple):
        numbers = [plain(entry) for entry in value] if _is_flat(value) else []
        return numbers if numbers and all(isinstance(number, int | float) for number in numbers) else None
    return value if isinstance(value, str | int | float | bool) else None


def _is_flat(values: list[Any] | tuple[Any, ...]) -> bool:
    return all(
        isinstance(value, int | float | Stub) or (isinstance(value, StoredTensor) and not value.shape)
        for value in values
    )


def _walk(node: Any, path: tuple[str, ...], found: Found) -> None:
    if len(path) > DEEPEST:
        return
    if isinstance(node, Stub | dict | list | tuple):
        if id(node) in found.seen:
            return
        found.seen.add(id(node))
    node = _array_in(node)
    if isinstance(node, StoredTensor):
        _put(found, path, node)
    elif isinstance(node, Stub) and (module := _module_state(node)) is not None:
        _walk_module(module, "/".join(path), (), found)
    elif isinstance(node, Stub | dict):
        _walk_items(_items(node), path, found)
    elif (value := plain(node)) is not None:
        _note(found, path, value)
    elif isinstance(node, list | tuple):
        _walk_items(((str(index), value) for index, value in enumerate(node)), path, found)


def _walk_items(items: Iterator[tuple[str, Any]], path: tuple[str, ...], found: Found) -> None:
    pairs = [(name, _array_in(value)) for name, value in items]
    holds_weights = any(isinstance(value, StoredTensor) and len(value.shape) >= 2 for _, value in pairs)
    for name, value in pairs:
        if OPTIMIZERS.search(name) and not holds_weights:
            continue
        if not holds_weights and _is_curve(name, value):
            _note(found, (*path, name), plain(value))
        else:
            _walk(value, (*path, name), found)


def _is_curve(name: str, value: Any) -> bool:
    return isinstance(value, StoredTensor) and len(value.shape) <= 1 and CURVE.search(name) is not None


def _items(node: Stub | dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Pairs of a dict, or of the attributes of an object: argparse.Namespace(lr=0.1) is {"lr": 0.1}."""
    if isinstance(node, dict):
        yield from ((str(key), value) for key, value in node.items() if isinstance(key, str | int))
        return
    yield from _items(node.items or {})
    yield from _items(_state(node))
    yield from ((str(index), value) for index, value in enumerate(node.elements or ()))


def _state(stub: Stub) -> dict[Any, Any]:
    state = stub.state[0] if isinstance(stub.state, tuple) and stub.state else stub.state
    return state if isinstance(state, dict) else {}


def _module_state(stub: Stub) -> dict[Any, Any] | None:
    """The attributes of a `torch.nn.Module`, or of TorchScript's; None for other objects."""
    state = _state(stub)
    is_module = all(isinstance(state.get(part), dict) for part in MODULE_PARTS) or stub.name.startswith(
        "__torch__"
    )
    return state if is_module else None


def _walk_module(state: dict[Any, Any], container: str, path: tuple[str, ...], found: Found) -> None:
    if len(path) > DEEPEST:
        return
    for name, value, is_parameter in _tensors_of(state):
        tensor = dataclasses.replace(value, parameter=is_parameter)
        found.tensors["/".join(part for part in (container, ".".join((*path, name))) if part)] = tensor
    for name, value in (state.get("_modules") or state).items():
        module = _module_state(value) if isinstance(value, Stub) else None
        if module is not None and id(value) not in found.seen:
            found.seen.add(id(value))
            _walk_module(module, container, (*path, str(name)), found)


def _tensors_of(state: dict[Any, Any]) -> Iterator[tuple[str, StoredTensor, bool | None]]:
    if "_parameters" not in state:  # TorchScript does not tell parameters from buffers
        yield from ((str(name), value, None) for name, value in state.items() if isinstance(value, StoredTensor))
        return
    passing = state.get("_non_persistent_buffers_set") or ()
    for part, is_parameter in (("_parameters", True), ("_buffers", False)):
        for name, value in state[part].items():
            if isinstance(value, StoredTensor) and name not in passing:
                yield str(name), value, is_parameter


def _array_in(node: Any) -> Any:
    """Return the tensor or number that a stub of NumPy's stands for, and anything else as it is."""
    array = unpickled(node) if isinstance(node, Stub) else None
    if array is None:
        return node
    return StoredTensor(array.shape, array.dtype.name, lambda: np.asarray(array)) if array.ndim else array


def _put(found: Found, path: tuple[str, ...], tensor: StoredTensor) -> None:
    found.tensors["/".join(path) or "tensor"] = tensor


def _note(found: Found, path: tuple[str, ...], value: object) -> None:
    if value is not None and len(found.extra) < MOST_PLAIN_VALUES:
        found.extra[".".join(path)] = value
