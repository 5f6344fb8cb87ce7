"""Files that were made to run code, to fill the memory or to take for ever: each ends at once, in one sentence."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from grokscope.errors import UsageError
from grokscope.importers import read_tensors
from grokscope.importers.pickle_opcodes import ACTIONS
from grokscope.importers.pickled_values import Stub
from grokscope.importers.unpickler import Unpickler

SECONDS, MEGABYTES = 2, 300
PROGRAM = """
import sys, time
from pathlib import Path
from grokscope.errors import UsageError
from grokscope.importers import layers_of, read_many, read_tensors
begin = time.process_time()
try:
    read_many(Path(sys.argv[1]))
    tensors = read_tensors(Path(sys.argv[1]))
    for layer in layers_of(tensors)[0]:
        layer.weight(tensors)
    print("opened")
except UsageError as error:
    print(error)
most = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(time.process_time() - begin, int(most.split()[1]) / 1024)
"""


class Call:
    """An object that is unpickled by calling a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        """Keep what is to be called."""
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Ask the unpickler to call it."""
        return self.function, self.arguments


def zipped(pickled: bytes) -> bytes:
    """A pickle in an archive as PyTorch writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def call(function: object, *arguments: object) -> bytes:
    """A checkpoint that calls a function when it is unpickled."""
    return zipped(pickle.dumps({"fc.weight": Call(function, *arguments)}))


def memo_bomb() -> bytes:
    """Thirty lists, each of which holds the one before it ten times: 10³⁰ entries for who walks through them."""
    lists = (b"](" + (b"h" + bytes([i])) * 10 + b"eq" + bytes([i + 1]) for i in range(30))
    return zipped(b"\x80\x02]q\x00" + b"".join(lists) + b".")


def memo_bomb_as_key() -> bytes:
    """The same of tuples, as the key of a dict: hashing it would take for ever."""
    doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(60))
    return zipped(b"\x80\x02}(K\x01q\x00" + doubled + b"K\x02u.")


def deep(opening: bytes, closing: bytes) -> bytes:
    """A million objects within each other."""
    return zipped(b"\x80\x02" + opening * 1_000_000 + closing * 1_000_000 + b".")


def far_memo() -> bytes:
    """One object, remembered under the last number: a memo that is an array would have 32 GB."""
    return zipped(b"\x80\x02]r\xff\xff\xff\x7f.")


def many_objects() -> bytes:
    """Twenty million empty dicts in twenty million bytes."""
    return zipped(b"\x80\x02(" + b"}" * 20_000_000 + b"l.")


def long_text() -> bytes:
    """A text of 16 EB, in a file that has some bytes."""
    return zipped(b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.")


def expanded() -> bytes:
    """A tensor of 10¹⁴ numbers that are one number."""
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(1).expand(10**7, 10**7)}, file)
    return file.getvalue()


def zip_bomb(name: bytes, begin: bytes = b"") -> bytes:
    """An archive of 3 MB that unpacks to 3 GB of zeros after some bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += megabyte * 3000 + packer.flush()
    sizes = struct.pack("<III", 7, len(packed), len(begin) + (3000 << 20))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0) + name
    listed = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    listed += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(local) + len(packed), 0)
    return local + packed + listed + end


def array_bomb() -> bytes:
    """An archive of NumPy's with an array of zeros that is 3 GB large."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (750, 1 << 20)})
    return zip_bomb(b"fc.weight.npy", head.getvalue())


def safetensors_bomb() -> bytes:
    """A header that is lists in lists."""
    header = b"{" + b'"a":' + b"[" * 1_000_000
    return struct.pack("<Q", len(header)) + header


HOSTILE = {
    "os.system": lambda: call(__import__("os").system, "touch pwned"),
    "eval": lambda: call(eval, "open('pwned', 'w')"),
    "getattr": lambda: call(getattr, Path, "touch"),
    "memo bomb": memo_bomb,
    "memo bomb as key": memo_bomb_as_key,
    "deep tuples": lambda: deep(b")", b"\x85"),
    "deep lists": lambda: deep(b"]", b"a"),
    "far memo": far_memo,
    "many objects": many_objects,
    "long text": long_text,
    "expanded": expanded,
    "zip bomb": lambda: zip_bomb(b"archive/data.pkl"),
    "array bomb": array_bomb,
    "safetensors bomb": safetensors_bomb,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_runs_nothing_and_ends_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "step-1.pt"
    path.write_bytes(HOSTILE[kind]())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    sentence, measured = done.stdout.splitlines()
    assert sentence.startswith(f"{path} ")
    seconds, megabytes = map(float, measured.split())
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
    assert [file.name for file in tmp_path.iterdir()] == ["step-1.pt"]


def test_nothing_that_a_pickle_names_is_looked_up() -> None:
    made = Unpickler(pickle.dumps(Call(eval, "1 + 1"))).load()
    assert isinstance(made, Stub)
    assert (made.name, made.arguments) == ("builtins.eval", ("1 + 1",))
    made = Unpickler(b"cno.such.module\nthing\n.").load()
    assert made.name == "no.such.module.thing"


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_out_as_python_has_them(protocol: int) -> None:
    value = {
        "none": None, "yes": True, "no": False, "text": "é\n", "bytes": b"\x00\xff", "float": -0.1,
        "infinite": float("inf"), "ints": [0, 255, 65536, -1, 2**31, -(2**31), 2**70, -(2**70)],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), "nested": {"a": [{"b": (1, [2])}]}, 7: "seven",
    }  # fmt: skip
    assert Unpickler(pickle.dumps(value, protocol=protocol)).load() == value


def test_every_opcode_is_known_but_those_that_reach_outside() -> None:
    missing = {opcode.name for opcode in pickletools.opcodes if ord(opcode.code) not in ACTIONS} - {"STOP"}
    assert missing == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}


@pytest.mark.parametrize("seed", range(40))
def test_a_pickle_with_wrong_bytes_is_refused_in_one_sentence_or_read(tmp_path: Path, seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    torch.save({"model": model, "args": {"lr": 0.1}}, file, _use_new_zipfile_serialization=False)
    content = bytearray(file.getvalue())
    for at in rng.integers(0, len(content), 3):
        content[at] = rng.integers(256)
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    try:
        tensors = read_tensors(path)
        for name in tensors.names():
            tensors.read(name)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
