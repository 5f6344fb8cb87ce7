"""A pickle read as data: lists, dicts, numbers and texts as they are, everything else as an inert `Stub`.

Nothing that a pickle names is ever imported or called. The opcodes are those of the pickle protocols 0 to 5 (their
meaning: Python's `pickletools`); each makes at most one object, and their number is bounded, so that no pickle can
take more than some hundred MB or some seconds, whatever it asks for.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import Any

LARGEST_NUMBER_OF_OBJECTS = 1_500_000
LONGEST_LINE = 4096
TOO_MUCH = "holds more objects beside its tensors than weights need"


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


Rebuild = Callable[..., Any]


class Unpickler:
    """A machine for the opcodes of one pickle in a buffer.

    `rebuild` maps the few functions that make tensors to what is done in their place; `persistent` is given each
    persistent id. `position` is where the pickle ended, once `load` has returned.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        position: int = 0,
        *,
        rebuild: dict[str, Rebuild] | None = None,
        persistent: Callable[[Any], Any] = lambda key: Stub("persistent", (key,)),
    ) -> None:
        """Stand before the first opcode, at `position` of `data`."""
        self.position = position
        self._data = memoryview(data)
        self._rebuild = rebuild or {}
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._left = LARGEST_NUMBER_OF_OBJECTS

    def load(self) -> Any:
        """Return the object that the pickle describes; raises NotReadable."""
        data, actions = self._data, ACTIONS
        try:
            while (code := data[self.position]) != STOP:
                self.position += 1
                actions[code](self)
            self.position += 1
            return self._stack.pop()
        except (IndexError, struct.error):
            if self.position >= len(self._data):
                raise NotReadable("breaks off") from None
            raise NotReadable("is damaged") from None
        except (KeyError, ValueError, TypeError, UnicodeError, AttributeError, OverflowError):
            raise NotReadable("is damaged") from None

    def take(self, count: int) -> memoryview:
        """Return the next bytes; IndexError where there are not so many."""
        end = self.position + count
        if count < 0 or end > len(self._data):
            self.position = len(self._data)
            raise IndexError
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def number(self, layout: struct.Struct) -> Any:
        """Return the next number of a fixed size."""
        return layout.unpack(self.take(layout.size))[0]

    def line(self) -> bytes:
        """Return what there is up to the end of the line."""
        length = bytes(self._data[self.position : self.position + LONGEST_LINE]).find(b"\n")
        return bytes(self.take(length + 1 if length >= 0 else LONGEST_LINE)[:length])

    def count(self, objects: int) -> None:
        """Count objects that are made; raises NotReadable when there are too many."""
        self._left -= objects
        if self._left < 0:
            raise NotReadable(TOO_MUCH)

    def push(self, value: Any) -> None:
        """Put a new object on the stack, and count it."""
        self._left -= 1
        if self._left < 0:
            raise NotReadable(TOO_MUCH)
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the last object from the stack."""
        return self._stack.pop()

    def drop(self) -> None:
        """Drop the last object of the stack, or the mark that was set last."""
        if self._stack:
            self._stack.pop()
        else:
            self.since_mark()

    def since_mark(self) -> list[Any]:
        """Take all objects since the last mark from the stack."""
        taken = self._stack
        self._stack = self._marks.pop()
        return taken

    def mark(self) -> None:
        """Begin a new stretch of the stack."""
        self.count(1)
        self._marks.append(self._stack)
        self._stack = []

    def top(self) -> Any:
        """Look at the last object of the stack."""
        return self._stack[-1]

    def remember(self, key: int) -> None:
        """Keep the last object under a number of the memo."""
        self.count(1)
        self._memo[key] = self._stack[-1]

    def remember_next(self) -> None:
        """Keep the last object under the next number of the memo."""
        self.remember(len(self._memo))

    def recall(self, key: int) -> None:
        """Put an object of the memo on the stack once more."""
        self._stack.append(self._memo[key])

    def call(self, function: Any, arguments: Any) -> Any:
        """Return what stands for the result of a call."""
        if not isinstance(arguments, tuple):
            raise NotReadable("is damaged")
        if not isinstance(function, Name):
            return Stub("unnamed", arguments)
        self.count(sum(len(value) // 16 for value in arguments if isinstance(value, list | tuple | str | bytes)))
        known = self._rebuild.get(function.name) or REBUILD.get(function.name)
        return known(*arguments) if known else Stub(function.name, arguments)

    def persistent(self, key: Any) -> Any:
        """Return what a persistent id stands for."""
        return self._persistent(key)


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


def _named(machine: Unpickler, module: str, name: str) -> None:
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    machine.push(Name(f"{module}.{name}"))


def _global(machine: Unpickler) -> None:
    module = machine.line().decode()
    _named(machine, module, machine.line().decode())


def _stack_global(machine: Unpickler) -> None:
    name, module = machine.pop(), machine.pop()
    _named(machine, str(module)[:LONGEST_LINE], str(name)[:LONGEST_LINE])


def _reduce(machine: Unpickler) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _new_object_ex(machine: Unpickler) -> None:
    _, arguments, function = machine.pop(), machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _object(machine: Unpickler) -> None:
    function, *arguments = machine.since_mark()
    machine.push(machine.call(function, tuple(arguments)))


def _instance(machine: Unpickler) -> None:
    name = f"{machine.line().decode()}.{machine.line().decode()}"
    machine.push(machine.call(Name(name), tuple(machine.since_mark())))


def _tuple(count: int) -> Callable[[Unpickler], None]:
    def action(machine: Unpickler) -> None:
        values = tuple([machine.pop() for _ in range(count)][::-1])
        machine.push(values)

    return action


def _append(machine: Unpickler) -> None:
    value = machine.pop()
    append(machine.top(), [value])


def _appends(machine: Unpickler) -> None:
    values = machine.since_mark()
    append(machine.top(), values)


def _set_item(machine: Unpickler) -> None:
    value, key = machine.pop(), machine.pop()
    set_items(machine.top(), [key, value])


def _set_items(machine: Unpickler) -> None:
    values = machine.since_mark()
    set_items(machine.top(), values)


def _build(machine: Unpickler) -> None:
    state = machine.pop()
    build(machine.top(), state)


def _dict(machine: Unpickler) -> None:
    values = machine.since_mark()
    made: dict[Any, Any] = {}
    set_items(made, values)
    machine.push(made)


def _pop_mark(machine: Unpickler) -> None:
    machine.since_mark()


def _skip(count: int) -> Callable[[Unpickler], None]:
    def action(machine: Unpickler) -> None:
        machine.take(count)

    return action


def _value(value: Any) -> Callable[[Unpickler], None]:
    return lambda machine: machine.push(value)


def _fixed(layout: struct.Struct) -> Callable[[Unpickler], None]:
    return lambda machine: machine.push(machine.number(layout))


def _counted(layout: struct.Struct, decode: Callable[[memoryview], Any]) -> Callable[[Unpickler], None]:
    return lambda machine: machine.push(decode(machine.take(machine.number(layout))))


def _text(data: memoryview) -> str:
    return bytes(data).decode("utf-8", "surrogatepass")


def _latin(data: memoryview) -> str:
    return bytes(data).decode("latin1")


def _escaped(data: bytes) -> str:
    """A text of Python 2, with a backslash before what cannot be written."""
    return data.decode("unicode_escape")


def _whole(data: memoryview) -> int:
    return int.from_bytes(data, "little", signed=True)


def _text_int(machine: Unpickler) -> None:
    text = machine.line()
    machine.push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text))


BYTE, SHORT, INT, UINT, LONG = (struct.Struct(layout) for layout in ("<B", "<H", "<i", "<I", "<Q"))
STOP = pickle.STOP[0]

_NAMED: dict[str, Callable[[Unpickler], None]] = {
    "PROTO": _skip(1),
    "FRAME": _skip(8),
    "MARK": Unpickler.mark,
    "POP": Unpickler.drop,
    "POP_MARK": _pop_mark,
    "DUP": lambda machine: machine.push(machine.top()),
    "NONE": _value(None),
    "NEWTRUE": _value(True),
    "NEWFALSE": _value(False),
    "INT": _text_int,
    "LONG": lambda machine: machine.push(int(machine.line().rstrip(b"L"))),
    "FLOAT": lambda machine: machine.push(float(machine.line())),
    "BININT": _fixed(INT),
    "BININT1": _fixed(BYTE),
    "BININT2": _fixed(SHORT),
    "BINFLOAT": _fixed(struct.Struct(">d")),
    "LONG1": _counted(BYTE, _whole),
    "LONG4": _counted(UINT, _whole),
    "STRING": lambda machine: machine.push(_escaped(machine.line().strip()[1:-1])),
    "UNICODE": lambda machine: machine.push(machine.line().decode("raw-unicode-escape")),
    "SHORT_BINSTRING": _counted(BYTE, _latin),
    "BINSTRING": _counted(UINT, _latin),
    "SHORT_BINUNICODE": _counted(BYTE, _text),
    "BINUNICODE": _counted(UINT, _text),
    "BINUNICODE8": _counted(LONG, _text),
    "SHORT_BINBYTES": _counted(BYTE, bytes),
    "BINBYTES": _counted(UINT, bytes),
    "BINBYTES8": _counted(LONG, bytes),
    "BYTEARRAY8": _counted(LONG, bytes),
    "EMPTY_TUPLE": _value(()),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda machine: machine.push(tuple(machine.since_mark())),
    "EMPTY_LIST": lambda machine: machine.push([]),
    "LIST": lambda machine: machine.push(machine.since_mark()),
    "APPEND": _append,
    "APPENDS": _appends,
    "EMPTY_DICT": lambda machine: machine.push({}),
    "DICT": _dict,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "EMPTY_SET": lambda machine: machine.push([]),
    "ADDITEMS": _appends,
    "FROZENSET": lambda machine: machine.push(machine.since_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_object_ex,
    "OBJ": _object,
    "INST": _instance,
    "BUILD": _build,
    "PUT": lambda machine: machine.remember(int(machine.line())),
    "BINPUT": lambda machine: machine.remember(machine.number(BYTE)),
    "LONG_BINPUT": lambda machine: machine.remember(machine.number(UINT)),
    "MEMOIZE": Unpickler.remember_next,
    "GET": lambda machine: machine.recall(int(machine.line())),
    "BINGET": lambda machine: machine.recall(machine.number(BYTE)),
    "LONG_BINGET": lambda machine: machine.recall(machine.number(UINT)),
    "PERSID": lambda machine: machine.push(machine.persistent(machine.line().decode())),
    "BINPERSID": lambda machine: machine.push(machine.persistent(machine.pop())),
}
ACTIONS = {ord(opcode.code): _NAMED[opcode.name] for opcode in pickletools.opcodes if opcode.name in _NAMED}
"""What is done for each opcode; the missing ones (extensions, buffers outside the pickle) raise NotReadable."""
