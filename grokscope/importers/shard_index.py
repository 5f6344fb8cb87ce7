"""The index of a model's shards: which files, in which order; for safetensors and PyTorch alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.files import read_text

LARGEST_JSON = 16 << 20


def shards_of(path: Path) -> list[Path]:
    """Return the files that an index of shards names, in its order, each once.

    Raises UsageError where it is no index, or a shard is missing or outside its folder.
    """
    weight_map = read_json_object(path).get("weight_map")
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


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file of moderate size holds; an empty one where there is none."""
    try:
        loaded = json.loads(read_text(path, LARGEST_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
