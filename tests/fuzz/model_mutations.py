"""Other people's model files with strange contents: what libraries write unexpectedly, and what nobody does."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from tests.fuzz.material import Tensors, save, tensors_at

BAD_NAMES = ("", ".", "..", "a/b.weight", "x\x1b[2J.weight", "\u202e.weight", "n" * 250 + ".weight", "é.weight")


def _again(path: Path, change: Callable[[Tensors, str], None], random: Random) -> None:
    """Save a checkpoint anew, with one of its tensors changed."""
    tensors = tensors_at(int(path.stem.rpartition("-")[2]))
    change(tensors, random.choice(list(tensors)))
    save(path, tensors)


def no_numbers(path: Path, random: Random) -> None:
    """NaN or infinities, one or all."""

    def change(tensors: Tensors, name: str) -> None:
        value = random.choice((np.nan, np.inf, -np.inf, 3e38))
        tensors[name].flat[random.randrange(tensors[name].size) if random.random() < 0.5 else slice(None)] = value

    _again(path, change, random)


def other_dtype(path: Path, random: Random) -> None:
    """Halves, doubles, whole numbers, booleans."""
    dtype = random.choice(("f2", "f8", "i1", "i8", "u1", "bool"))
    _again(path, lambda tensors, name: tensors.update({name: tensors[name].astype(dtype)}), random)


def other_shape(path: Path, random: Random) -> None:
    """A tensor of other axes, of one entry, or of none."""
    shapes = ((0,), (0, 5), (1, 1), (), (2, 3), (2, 3, 4, 5), (1, 10_000), (10_000, 1), (5, 5, 1))
    shape = random.choice(shapes)
    _again(path, lambda tensors, name: tensors.update({name: np.ones(shape, np.float32)}), random)


def without(path: Path, random: Random) -> None:
    """A tensor that is missing."""
    _again(path, lambda tensors, name: tensors.__delitem__(name), random)


def bad_name(path: Path, random: Random) -> None:
    """A tensor of a name that is none."""
    new = random.choice(BAD_NAMES)
    _again(path, lambda tensors, name: tensors.update({new: tensors.pop(name)}), random)


def same_numbers(path: Path, random: Random) -> None:
    """A tensor of equal entries."""
    value = random.choice((0.0, 1.0, 1e-40))
    _again(path, lambda tensors, name: tensors[name].fill(value), random)


MODEL = (no_numbers, other_dtype, other_shape, without, bad_name, same_numbers)


def header_says(path: Path, random: Random) -> None:
    """A safetensors header in which one entry is another."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    name = random.choice(list(header))
    changes: list[dict[str, Any]] = [
        {"shape": random.choice(([-1], [2**62, 4], [1.5], "x", None, [[]], [10**6, 10**6], []))},
        {"dtype": random.choice(("F64", "BF16", "I8", "F8_E4M3", "Q4", "", None, 7))},
        {"data_offsets": random.choice(([0, 2**63], [-8, 8], [8, 0], [0], None, [0, 8], ["a", "b"]))},
    ]
    header[name] = random.choice(([], None, 3, "x", header[name] | random.choice(changes), {}))
    if random.random() < 0.2:
        header["__metadata__"] = random.choice((7, {"step": "\x1b[2J"}, {"step": "1e400"}, {"a": {"b": 1}}, []))
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def header_is(path: Path, random: Random) -> None:
    """A safetensors header that is no table of tensors."""
    text = random.choice(
        (b"[]", b"{", b"null", b"{}" * 9, b"\xff\xfe", b'{"a":' * 3000, b'{"a":1,"a":2}', b"1e999")
    )
    path.write_bytes(struct.pack("<Q", random.choice((len(text), 0, 1, 2**63, len(text) + 9))) + text + bytes(64))


def member(path: Path, random: Random) -> None:
    """A member of an archive that is missing, there twice, renamed, cut, packed, or another one."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = random.randrange(len(members))
    name, content = members[at]
    changed: tuple[list[tuple[str, bytes]], ...] = (
        [], [(name, content)] * 2, [(f"../{name}", content)], [(name, content[: len(content) // 2])],
        [(name, b"")], [(name, random.choice(members)[1])], [(name, content), ("more\x1b[2J", b"x")],
        [(name, bytes(10**7))],
    )  # fmt: skip
    members[at : at + 1] = random.choice(changed)
    packing = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)


def pickled(path: Path, random: Random) -> None:
    """A pickle of something else, of tensors in strange places, or with some bytes changed."""
    weight = torch.ones(6, 6)
    things = (
        [], {}, 3, None, "x", {"a": {"b": {"c": weight}}}, [weight] * 3, {1: weight, (2, 3): weight}, weight,
        {"model": weight.to_sparse()}, {"w": weight.expand(3, 6, 6)}, {"w": weight.t()},
        {"step": 1e400, "w": weight}, {"w": weight.to(torch.complex64)}, {"w": torch.eye(6)[::2]},
        {"step": -5, "w": weight}, {"step": "12\x1b[2J", "w": weight}, {"w": torch.nn.Linear(3, 4)},
        {"w": torch.ones(6, 6, device="meta")}, {"step": 10**30, "w": weight}, {"w": weight.bfloat16()},
    )  # fmt: skip
    torch.save(random.choice(things), path, _use_new_zipfile_serialization=random.random() < 0.7)
    if random.random() < 0.3:
        content = bytearray(path.read_bytes())
        for _ in range(3):
            content[random.randrange(min(600, len(content)))] = random.randrange(256)
        path.write_bytes(content)


def array(path: Path, random: Random) -> None:
    """An archive of NumPy's with arrays that are none of numbers."""
    arrays: dict[str, Any] = {
        "text": np.array(["a", "b"]), "objects": np.array([{}, []], dtype=object), "one": np.float64(3),
        "times": np.zeros(3, "M8[s]"), "fields": np.zeros((4, 4), [("a", "f4")]), "complex": np.ones((5, 5), "c8"),
        "fortran.weight": np.asfortranarray(np.ones((6, 9))), "big.weight": np.ones((6, 9), ">f8"),
        "nothing": np.zeros((0, 4)), "step": np.array(random.choice((7, -7, 10**18, 0))),
    }  # fmt: skip
    chosen = random.sample(sorted(arrays), random.randint(1, 4))
    np.savez(path, **{name: arrays[name] for name in chosen})


SAFETENSORS = (*MODEL, header_says, header_says, header_is)
PT = (*MODEL, member, member, pickled, pickled)
NPZ = (*MODEL, member, member, array)
