"""A folder that `save_pretrained` wrote, and PyTorch files that are the shards of one model by their index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.files import read_text
from grokscope.importers.messagepack import read_messagepack
from grokscope.importers.pytorch import read_pytorch
from grokscope.importers.safetensors_file import read_safetensors
from grokscope.importers.stored import StoredTensor, StoredTensors

ADAPTER = "adapter_config.json"
LARGEST_JSON = 16 << 20


def read_model_folder(folder: Path) -> StoredTensors:
    """Open the model in a folder of `save_pretrained`: the first of its files that is there, shards as one.

    Of an adapter its alpha and rank come along, and the step of a Trainer's checkpoint.
    """
    from grokscope.importers.sniffing import MODEL_FILES

    path = folder / next(name for name in MODEL_FILES if (folder / name).is_file())
    read = read_safetensors if ".safetensors" in path.name else read_pytorch
    if path.name.endswith(".bin.index.json"):
        read = read_pytorch_shards
    if path.suffix == ".msgpack":
        read = read_messagepack
    tensors = read(path)
    extra = {**tensors.extra, **_adapter(folder), **_trainer_state(folder)}
    return StoredTensors(folder, tensors.tensors, extra, tensors.files, opened=tensors.opened)


def read_pytorch_shards(path: Path) -> StoredTensors:
    """Open the shards that an index (`pytorch_model.bin.index.json`) names; raises UsageError where one lacks."""
    shards = shards_of(path)
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        tensors |= read_pytorch(shard).tensors
    return StoredTensors(path, tensors, files=tuple(shards))


def shards_of(path: Path) -> list[Path]:
    """Return the files that an index of shards names, in its order, each once.

    Raises UsageError where it is no index, or a shard is missing or outside its folder.
    """
    weight_map = _json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise UsageError(f"{path} is no index of shards; copy or save it again")
    shards = []
    for shard in dict.fromkeys(weight_map.values()):
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise UsageError(f"{path} names a shard outside its folder; copy or save it again")
        if not (path.parent / shard).is_file():
            raise UsageError(f"{path.parent} lacks {shard}, which {path.name} names; copy it there")
        shards.append(path.parent / shard)
    return shards


def _json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(read_text(path, LARGEST_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _adapter(folder: Path) -> dict[str, object]:
    config = _json(folder / ADAPTER)
    return {f"adapter.{name}": config[name] for name in ("lora_alpha", "r", "use_rslora") if name in config}


def _trainer_state(folder: Path) -> dict[str, object]:
    state = _json(folder / "trainer_state.json")
    return {name: state[name] for name in ("global_step", "epoch") if isinstance(state.get(name), int | float)}
