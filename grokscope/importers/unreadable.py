"""What is wrong with a checkpoint file that cannot be read, told by its own bytes.

The errors of torch and safetensors name an opcode or a header; their reader wants to know what the file is.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

ZIP, PICKLE, LFS = b"PK", b"\x80", b"version https://git-lfs"
BREAKS_OFF = "breaks off before its end; copy or save it again"
SHOWN_BYTES = 16


def why_no_torch(path: Path, error: Exception) -> str:
    """Say what a file is that `torch.load` could not read: its own are zip archives, and were once pickles."""
    head = _head(path)
    if not head.startswith((ZIP, PICKLE)):
        return _why_other(head, "PyTorch")
    if isinstance(error, pickle.UnpicklingError):
        return "holds more than weights, and loading it could run code; save `model.state_dict()` alone"
    if "TorchScript" in str(error):
        return "is a TorchScript archive; save `model.state_dict()` instead"
    if isinstance(error, EOFError) or "EOF" in str(error) or (head[:2] == ZIP and not zipfile.is_zipfile(path)):
        return BREAKS_OFF
    kind = "zip archive" if head[:2] == ZIP else "pickle"
    return f"is a {kind}, but no whole checkpoint of PyTorch; save `model.state_dict()` again by `torch.save`"


def why_no_safetensors(path: Path, error: Exception) -> str:
    """Say what a file is that safetensors could not read: the length of a JSON header, the header, the numbers."""
    head = _head(path)
    if head[8:9] != b"{":
        return _why_other(head, "safetensors")
    incomplete = int.from_bytes(head[:8], "little") + 8 > path.stat().st_size or "not fully covered" in str(error)
    return BREAKS_OFF if incomplete else f"is a damaged safetensors file ({error}); copy or save it again"


def _why_other(head: bytes, kind: str) -> str:
    if not head:
        return "is empty; copy or save it again"
    if head.startswith(LFS):
        return "is a pointer of Git LFS, not the file itself; fetch that by `git lfs pull`"
    return f"is no {kind} file: it begins with {head[:SHOWN_BYTES]!r}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)
