"""PyTorch's distributed checkpoints (DCP): a folder with `.metadata` and one `.distcp` file a process.

`.metadata` is a pickle of `torch.distributed.checkpoint.metadata.Metadata`: for each tensor its shape and the
chunks it was cut into, for each chunk the file, the place and the length of what `torch.save` made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.layer_names import OPTIMIZERS
from grokscope.importers.pickled_values import Name, Stub
from grokscope.importers.stored import BREAKS_OFF, Bytes, StoredTensor, StoredTensors
from grokscope.importers.tensors import CODES
from grokscope.importers.torch_legacy import open_legacy
from grokscope.importers.torch_tree import flattened, plain
from grokscope.importers.torch_zip import open_zip
from grokscope.importers.zip_archive import Archive

METADATA = ".metadata"
Place = tuple[str, int, int]


def read_distributed(folder: Path) -> StoredTensors:
    """Open a folder that `torch.distributed.checkpoint.save` wrote.

    Raises UsageError where it is damaged or a file of it is missing.
    """
    metadata = _attributes(open_legacy(Bytes(folder / METADATA)))
    places = dict(_places(metadata.get("storage_data")))
    described = metadata.get("state_dict_metadata")
    if not isinstance(described, dict) or not places:
        raise UsageError(f"{folder / METADATA} is damaged; copy or save the checkpoint again")
    names = sorted({place[0] for place in places.values()})
    missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
    if missing:
        raise UsageError(f"{folder} lacks {missing[0]}, which its {METADATA} names; copy it there")
    files = {name: Bytes(folder / name) for name in names}
    tensors = {
        str(name): _tensor(str(name), _attributes(entry), places, files)
        for name, entry in described.items()
        if "size" in _attributes(entry) and not _is_of_optimizer(str(name))
    }
    extra = dict(_plain_values(described, places, files))
    return StoredTensors(folder, tensors, extra, files=tuple(folder / name for name in (METADATA, *names)))


def _is_of_optimizer(name: str) -> bool:
    return OPTIMIZERS.search(name.split(".")[0]) is not None


def _attributes(stub: Any) -> dict[Any, Any]:
    state = stub.state if isinstance(stub, Stub) else None
    return state if isinstance(state, dict) else {}


def _places(stored: Any) -> Iterator[tuple[tuple[str, tuple[int, ...] | None], Place]]:
    """Map (name, offset of the chunk) to file, first byte and length."""
    for index, info in (stored or {}).items():
        key, place = _attributes(index), _attributes(info)
        offset = key.get("offset")
        yield (
            (str(key.get("fqn")), None if offset is None else tuple(offset)),
            (str(place["relative_path"]), int(place["offset"]), int(place["length"])),
        )


def _tensor(name: str, entry: dict[Any, Any], places: dict[Any, Place], files: dict[str, Bytes]) -> StoredTensor:
    shape = tuple(entry["size"])
    chunks = [tuple(_attributes(chunk)["offsets"]) for chunk in entry.get("chunks", ())]
    dtype = _dtype(entry.get("properties"))
    return StoredTensor(shape, dtype, partial(_read, name, shape, dtype, chunks, places, files))


def _dtype(properties: Any) -> str:
    """The dtype of `TensorProperties`, whose state is a tuple that begins with it."""
    state = properties.state if isinstance(properties, Stub) else None
    dtype = state[0] if isinstance(state, tuple) and state else _attributes(properties).get("dtype")
    return dtype.name.removeprefix("torch.") if isinstance(dtype, Name) else "unknown"


def _read(
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    chunks: list[tuple[int, ...]],
    places: dict[Any, Place],
    files: dict[str, Bytes],
) -> NDArray[Any]:
    parts = [(offset, _chunk(name, offset, places, files)) for offset in chunks]
    if len(parts) == 1 and parts[0][1].shape == shape:
        return parts[0][1]
    whole = np.zeros(shape, np.dtype(CODES.get(dtype, dtype)))
    filled = 0
    for offset, part in parts:
        whole[tuple(slice(first, first + length) for first, length in zip(offset, part.shape, strict=True))] = part
        filled += part.size
    if filled != whole.size:
        raise UsageError(
            f"{next(iter(files.values())).path.parent} lacks a part of {name}; copy the checkpoint again"
        )
    return whole


def _chunk(name: str, offset: tuple[int, ...], places: dict[Any, Place], files: dict[str, Bytes]) -> NDArray[Any]:
    place = places.get((name, offset)) or places.get((name, None))
    tensor = _saved(place, files) if place else None
    if not isinstance(tensor, StoredTensor):
        raise UsageError(
            f"{next(iter(files.values())).path.parent} lacks a part of {name}; copy the checkpoint again"
        )
    return tensor.read()


def _saved(place: Place, files: dict[str, Bytes]) -> Any:
    """Return what `torch.save` wrote at a place in a file."""
    file, (_, first, length) = files[place[0]], place
    if first + length > file.size:
        raise UsageError(f"{file.path} {BREAKS_OFF}")
    return open_zip(Archive(file, first, length))


def _plain_values(
    described: dict[Any, Any], places: dict[Any, Place], files: dict[str, Bytes]
) -> Iterator[tuple[str, object]]:
    """Numbers and texts beside the tensors, such as a step: each was saved on its own."""
    for name, entry in described.items():
        place = places.get((str(name), None))
        if "size" in _attributes(entry) or place is None or _is_of_optimizer(str(name)):
            continue
        value = _saved(place, files)
        if (number := plain(value)) is not None:
            yield str(name), number
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", entry) for key, entry in flattened(value).extra.items())
