"""What each opcode of the pickle protocols 0 to 5 does on the `Machine` (see `pickletools`)."""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import Any

from grokscope.importers.pickle_machine import Machine
from grokscope.importers.pickled_values import Name, append, build, set_items

LONGEST_NAME = 4096


def _named(machine: Machine, module: str, name: str) -> None:
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    machine.push(Name(f"{module}.{name}"))


def _global(machine: Machine) -> None:
    module = machine.line().decode()
    _named(machine, module, machine.line().decode())


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _named(machine, str(module)[:LONGEST_NAME], str(name)[:LONGEST_NAME])


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _new_object_ex(machine: Machine) -> None:
    _, arguments, function = machine.pop(), machine.pop(), machine.pop()
    machine.push(machine.call(function, arguments))


def _object(machine: Machine) -> None:
    function, *arguments = machine.since_mark()
    machine.push(machine.call(function, tuple(arguments)))


def _instance(machine: Machine) -> None:
    name = f"{machine.line().decode()}.{machine.line().decode()}"
    machine.push(machine.call(Name(name), tuple(machine.since_mark())))


def _tuple(count: int) -> Callable[[Machine], None]:
    def action(machine: Machine) -> None:
        values = tuple([machine.pop() for _ in range(count)][::-1])
        machine.push(values)

    return action


def _append(machine: Machine) -> None:
    value = machine.pop()
    append(machine.top(), [value])


def _appends(machine: Machine) -> None:
    values = machine.since_mark()
    append(machine.top(), values)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    set_items(machine.top(), [key, value])


def _set_items(machine: Machine) -> None:
    values = machine.since_mark()
    set_items(machine.top(), values)


def _build(machine: Machine) -> None:
    state = machine.pop()
    build(machine.top(), state)


def _dict(machine: Machine) -> None:
    values = machine.since_mark()
    made: dict[Any, Any] = {}
    set_items(made, values)
    machine.push(made)


def _pop_mark(machine: Machine) -> None:
    machine.since_mark()


def _skip(count: int) -> Callable[[Machine], None]:
    def action(machine: Machine) -> None:
        machine.take(count)

    return action


def _value(value: Any) -> Callable[[Machine], None]:
    return lambda machine: machine.push(value)


def _fixed(layout: struct.Struct) -> Callable[[Machine], None]:
    return lambda machine: machine.push(machine.number(layout))


def _counted(layout: struct.Struct, decode: Callable[[memoryview], Any]) -> Callable[[Machine], None]:
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


def _text_int(machine: Machine) -> None:
    text = machine.line()
    machine.push({b"00": False, b"01": True}[text] if text in (b"00", b"01") else int(text))


BYTE, SHORT, INT, UINT, LONG = (struct.Struct(layout) for layout in ("<B", "<H", "<i", "<I", "<Q"))

_NAMED: dict[str, Callable[[Machine], None]] = {
    "PROTO": _skip(1),
    "FRAME": _skip(8),
    "MARK": lambda machine: machine.mark(),
    "POP": lambda machine: machine.drop(),
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
    "MEMOIZE": lambda machine: machine.remember_next(),
    "GET": lambda machine: machine.recall(int(machine.line())),
    "BINGET": lambda machine: machine.recall(machine.number(BYTE)),
    "LONG_BINGET": lambda machine: machine.recall(machine.number(UINT)),
    "PERSID": lambda machine: machine.push(machine.persistent(machine.line().decode())),
    "BINPERSID": lambda machine: machine.push(machine.persistent(machine.pop())),
}
ACTIONS = {ord(opcode.code): _NAMED[opcode.name] for opcode in pickletools.opcodes if opcode.name in _NAMED}
"""What is done for each opcode; the missing ones (extensions, buffers outside the pickle) raise NotReadable."""
