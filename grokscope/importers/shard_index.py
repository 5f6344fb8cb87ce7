"""The shards of one model: what an index says of them, or their own names; for safetensors and PyTorch alike."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from grokscope.errors import UsageError
from grokscope.files import read_text

LARGEST_JSON = 16 << 20
SHARD = re.compile(r"^(?P<model>.*)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\..+)?$")
T = TypeVar("T")


def by_index(path: Path, read: Callable[[Path], Mapping[str, T]]) -> tuple[dict[str, T], tuple[Path, ...]]:
    """Return what the shards that an index names hold, by name, and the files that say so.

    `read` returns what a shard holds. Each name is taken from the shard where the index has it, from any where the
    index does not name it. Raises UsageError where it is no index, or a shard, or what it should hold, is missing.
    """
    weight_map = read_json_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise UsageError(f"{path} is no index of shards; copy or save it again")
    shards = tuple(_shard(path, name) for name in dict.fromkeys(weight_map.values()))
    joined: dict[str, T] = {}
    is_passed_over = False
    for shard in shards:
        for name, value in read(shard).items():
            if weight_map.get(name, shard.name) == shard.name:
                joined[name] = value
            else:
                is_passed_over = True
    for name, shard_name in weight_map.items():
        if name not in joined:
            raise UsageError(
                f"{path.parent / shard_name} lacks {name}, which {path.name} has there; copy it again"
            )
    return joined, (*shards, path) if is_passed_over else shards


def _shard(index: Path, name: object) -> Path:
    if not isinstance(name, str) or Path(name).name != name:
        raise UsageError(f"{index} names a shard outside its folder; copy or save it again")
    if not (index.parent / name).is_file():
        raise UsageError(f"{index.parent} lacks {name}, which {index.name} names; copy it there")
    return index.parent / name


def shards_beside(path: Path) -> list[Path]:
    """Return the index of the set that a shard is of, else the whole set by its names; nothing for other files.

    Raises UsageError where one of the set is missing.
    """
    named = SHARD.match(path.name)
    if named is None or int(named["count"]) < 2:
        return []
    model, suffix = named["model"], named["suffix"] or ""
    index = path.with_name(f"{model}{suffix}.index.json")
    if index.is_file():
        return [index]
    pattern = f"{glob.escape(model)}-[0-9]*-of-{named['count']}{glob.escape(suffix)}"
    shards = sorted(found for found in path.parent.glob(pattern) if SHARD.match(found.name))
    if len(shards) != int(named["count"]):
        raise UsageError(
            f"{path} is one of {int(named['count'])} shards, its folder holds {len(shards)}; copy the others there"
        )
    return shards


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file of moderate size holds; an empty one where there is none."""
    try:
        loaded = json.loads(read_text(path, LARGEST_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
