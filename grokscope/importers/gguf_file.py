"""GGUF, llama.cpp's format: read and dequantised by its own library, `gguf`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers.stored import Bytes, StoredTensor, StoredTensors

PLAIN = {"F32": "float32", "F16": "float16", "F64": "float64", "BF16": "bfloat16"}


def read_gguf(path: Path) -> StoredTensors:
    """Open a GGUF file; quantised tensors are dequantised to float32 when they are read.

    Raises MissingPackage without `gguf`, UsageError where the file is damaged.
    """
    try:
        from gguf import GGUFReader
    except ImportError:
        raise MissingPackage(f"reading {path.name} needs gguf", "gguf") from None
    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UsageError(f"{path} is damaged, or no GGUF file ({error}); copy it again") from None
    file = Bytes(path)
    tensors = {tensor.name: _tensor(file, tensor) for tensor in reader.tensors}
    return StoredTensors(path, tensors, files=(path,))


def _tensor(file: Bytes, tensor: Any) -> StoredTensor:
    shape = tuple(int(length) for length in reversed(tensor.shape))  # GGUF counts the fastest axis first
    dtype = PLAIN.get(tensor.tensor_type.name, "float32")
    return StoredTensor(shape, dtype, partial(_read, file, tensor, shape, dtype))


def _read(file: Bytes, tensor: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    from gguf.quants import dequantize

    mapped = tensor.data  # by the library: a save over the file would end the process, were it touched
    stored = file[tensor.data_offset : tensor.data_offset + tensor.n_bytes].read()
    numbers = np.frombuffer(stored, mapped.dtype).reshape(mapped.shape)
    if dtype == "bfloat16":
        return numbers.view("<u2").reshape(shape)
    if tensor.tensor_type.name in PLAIN:
        return numbers.reshape(shape)
    return np.asarray(dequantize(numbers, tensor.tensor_type)).reshape(shape)
