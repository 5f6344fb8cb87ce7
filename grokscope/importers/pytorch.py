"""PyTorch's checkpoint files, opened without PyTorch and without running anything that they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.importers.stored import Bytes, StoredTensors
from grokscope.importers.torch_legacy import open_legacy
from grokscope.importers.torch_tree import flattened
from grokscope.importers.torch_zip import open_zip
from grokscope.importers.zip_archive import SIGNATURE, Archive


def read_pytorch(path: Path) -> StoredTensors:
    """Open what `torch.save` or `torch.jit.save` wrote: a state dict in any wrapping, or a whole module.

    Raises UsageError where it is damaged, breaks off or holds no tensor.
    """
    found = flattened(read_tree(path))
    if not found.tensors:
        raise UsageError(f"{path} holds no tensors; save `model.state_dict()`")
    return StoredTensors(path, found.tensors, found.extra, files=(path,))


def read_tree(path: Path) -> Any:
    """Return the object that a file holds: of dicts, lists, plain values, `StoredTensor`s and `Stub`s.

    Raises UsageError.
    """
    file = Bytes(path)
    return open_zip(Archive(file)) if bytes(file[:4]) == SIGNATURE else open_legacy(file)
