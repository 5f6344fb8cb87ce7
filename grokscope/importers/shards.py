"""A folder that `save_pretrained` wrote, and the shards of one model, told by an index or by their names."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.importers.messagepack import read_messagepack
from grokscope.importers.pytorch import read_pytorch, read_tree
from grokscope.importers.safetensors_file import read_safetensors
from grokscope.importers.shard_index import by_index, read_json_object
from grokscope.importers.sniffing import MODEL_FILES, read_tensors
from grokscope.importers.stored import StoredTensor, StoredTensors
from grokscope.importers.torch_tree import flattened

ADAPTER = "adapter_config.json"


def read_model_folder(folder: Path) -> StoredTensors:
    """Open the model in a folder of `save_pretrained`: the first of its files that is there, shards as one.

    Of an adapter its alpha and rank come along, and the step of a Trainer's checkpoint.
    """
    path = folder / next(name for name in MODEL_FILES if (folder / name).is_file())
    read = read_safetensors if ".safetensors" in path.name else read_pytorch
    if path.name.endswith(".bin.index.json"):
        read = read_pytorch_shards
    if path.suffix == ".msgpack":
        read = read_messagepack
    tensors = read(path)
    extra = {**tensors.extra, **_adapter(folder), **_trainer_state(folder)}
    config = (folder / ADAPTER,) if (folder / ADAPTER).is_file() else ()
    return StoredTensors(folder, tensors.tensors, extra, (*tensors.files, *config), opened=tensors.opened)


def read_pytorch_shards(path: Path) -> StoredTensors:
    """Open the shards that an index (`pytorch_model.bin.index.json`) names; raises UsageError where one lacks."""
    held, files = by_index(path, _state_dict)
    return StoredTensors(path, flattened(held).tensors, files=files)


def _state_dict(shard: Path) -> dict[str, Any]:
    tree = read_tree(shard)
    if not isinstance(tree, dict):
        raise UsageError(f"{shard} holds no state dict, as a shard does; save the model again")
    return tree


def read_shards(path: Path, parts: Sequence[Path]) -> StoredTensors:
    """Open one of a set of shards with all the others, or by the index of the set.

    Raises UsageError where two of them hold a tensor of one name: nothing says which one counts.
    """
    opened = contextlib.ExitStack()
    tensors: dict[str, StoredTensor] = {}
    extra: dict[str, object] = {}
    files: list[Path] = []
    for part in parts:
        one = read_tensors(part, alone=True)
        opened.callback(one.close)
        if twice := next((name for name in one.tensors if name in tensors), None):
            raise UsageError(
                f"{path.parent} holds {twice} in two shards ({part.name}, …), and no index says which counts"
            )
        tensors |= one.tensors
        extra |= one.extra
        files += one.files
    return StoredTensors(path, tensors, extra, tuple(files), opened=opened)


def _adapter(folder: Path) -> dict[str, object]:
    """What scales an adapter; nothing where its configuration scales some layers otherwise."""
    config = read_json_object(folder / ADAPTER)
    if config.get("alpha_pattern") or config.get("rank_pattern"):
        return {}
    return {f"adapter.{name}": config[name] for name in ("lora_alpha", "r", "use_rslora") if name in config}


def _trainer_state(folder: Path) -> dict[str, object]:
    state = read_json_object(folder / "trainer_state.json")
    return {name: state[name] for name in ("global_step", "epoch") if isinstance(state.get(name), int | float)}
