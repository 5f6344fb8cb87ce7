"""A folder that `save_pretrained` wrote, and PyTorch files that are the shards of one model by their index."""

from __future__ import annotations

from pathlib import Path

from grokscope.importers.messagepack import read_messagepack
from grokscope.importers.pytorch import read_pytorch
from grokscope.importers.safetensors_file import read_safetensors
from grokscope.importers.shard_index import read_json_object, shards_of
from grokscope.importers.sniffing import MODEL_FILES
from grokscope.importers.stored import StoredTensor, StoredTensors

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
    return StoredTensors(folder, tensors.tensors, extra, tensors.files, opened=tensors.opened)


def read_pytorch_shards(path: Path) -> StoredTensors:
    """Open the shards that an index (`pytorch_model.bin.index.json`) names; raises UsageError where one lacks."""
    shards = shards_of(path)
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        tensors |= read_pytorch(shard).tensors
    return StoredTensors(path, tensors, files=tuple(shards))


def _adapter(folder: Path) -> dict[str, object]:
    """What scales an adapter; nothing where its configuration scales some layers otherwise."""
    config = read_json_object(folder / ADAPTER)
    if config.get("alpha_pattern") or config.get("rank_pattern"):
        return {}
    return {f"adapter.{name}": config[name] for name in ("lora_alpha", "r", "use_rslora") if name in config}


def _trainer_state(folder: Path) -> dict[str, object]:
    state = read_json_object(folder / "trainer_state.json")
    return {name: state[name] for name in ("global_step", "epoch") if isinstance(state.get(name), int | float)}
