"""What comes out of a pickle that is read as data: plain containers as they are, all else as an inert `Stub`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rebuild = Callable[..., Any]


class NotReadable(Exception):
    """A pickle that is damaged, breaks off, or holds more than weights could."""


class Stub:
    """What stands for an object of a class, or for the result of a function, that is not known and not needed.

    `name` is the class or function in full ("argparse.Namespace"), `arguments` what it is given, and
    `state` what would have been set on the object after that. `items` are those put into it as into a dict, and
    `elements` those appended to it as to a list.
    """

    __slots__ = ("arguments", "elements", "items", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        """Remember what would have been called with which arguments."""
        self.name, self.arguments = name, arguments
        self.state: Any = None
        self.items: dict[Any, Any] | None = None
        self.elements: list[Any] | None = None


class Name:
    """A class or function that a pickle names; a name and nothing else."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Keep the name in full, with the module."""
        self.name = name


def append(target: Any, values: list[Any]) -> None:
    """Append to a list, or to what stands for one."""
    if isinstance(target, Stub):
        target.elements = target.elements if target.elements is not None else []
        target = target.elements
    if not isinstance(target, list):
        raise NotReadable("is damaged")
    target.extend(values)


def set_items(target: Any, keys_and_values: list[Any]) -> None:
    """Put into a dict, or into what stands for one."""
    if isinstance(target, Stub):
        target.items = target.items if target.items is not None else {}
        target = target.items
    if not isinstance(target, dict) or len(keys_and_values) % 2:
        raise NotReadable("is damaged")
    for key, value in zip(keys_and_values[::2], keys_and_values[1::2], strict=True):
        target[_key(key)] = value


def build(target: Any, state: Any) -> None:
    """Set an object's state; that of anything but a stub is dropped."""
    if isinstance(target, Stub):
        target.state = state


def _key(key: Any) -> Any:
    """Return what a key is kept as: itself where it is hashed in no time, else a stub, equal to itself only."""
    if key is None or isinstance(key, str | float | bytes | Stub) or (isinstance(key, int) and abs(key) < 2**63):
        return key
    return Stub("key", (key,))


REBUILD: dict[str, Rebuild] = {
    "collections.OrderedDict": lambda *items: dict(_pairs(items)),
    "collections.defaultdict": lambda *factory: {},
    "collections.Counter": lambda *items: {},
    "builtins.dict": lambda *items: dict(_pairs(items)),
    "builtins.list": lambda *items: list(items[0]) if items and isinstance(items[0], list | tuple) else [],
    "builtins.set": lambda *items: list(items[0]) if items and isinstance(items[0], list | tuple) else [],
    "_codecs.encode": lambda text, *encoding: text.encode("latin1"),
    "torch.Size": lambda *sizes: tuple(sizes[0]) if sizes else (),
}
"""Plain containers, made as what they are."""


def _pairs(items: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    pairs = items[0] if items and isinstance(items[0], list | tuple) else []
    return [(_key(pair[0]), pair[1]) for pair in pairs]
