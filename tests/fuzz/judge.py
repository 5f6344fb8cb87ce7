"""What must be so after a command has met a changed file, whatever was changed."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.bytewise import BYTEWISE
from tests.fuzz.case import IMPORT, Case
from tests.fuzz.child import Ended
from tests.fuzz.material import RUN, SECRET, SPECTRA, tensors_at

EXIT_CODES = (0, 1, 2)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")
WRITERS = ("compact", "train")
Facts = Mapping[str, str]


def facts_of(folder: Path) -> Facts:
    """Return what lies where below a folder: of files a hash, of links where they lead, of others their kind."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                fact = f"link to {path.readlink()}"
            else:
                fact = f"{zlib.crc32(path.read_bytes()):08x}" if stat.S_ISREG(mode) else f"{stat.S_IFMT(mode):o}"
            found[str(path.relative_to(folder))] = fact
    return found


def problems(case: Case, ended: Ended, before: Facts, after: Facts) -> Iterator[str]:
    """Say what is wrong with the way in which a command ended, and with what it left; nothing where all is well."""
    if ended.hung:
        yield "hang"
    elif ended.code < 0:
        yield f"signal {-ended.code}"
    elif ended.code not in EXIT_CODES:
        yield f"exit code {ended.code}"
    if "Traceback" in ended.stderr:
        yield "traceback"
    elif "grokscope: failed:" in ended.stderr:
        yield "unforeseen"
    elif ended.code == 2 and not ended.stderr.strip().rpartition("\n")[2].startswith("grokscope: "):
        yield "no sentence"
    if CONTROLS.search(ended.stdout + ended.stderr):
        yield "control characters printed"
    if f"{SECRET:.0f}" in ended.stdout:
        yield "another file's content shown"
    yield from _changed(case, ended, before, after)


def _changed(case: Case, ended: Ended, before: Facts, after: Facts) -> Iterator[str]:
    writes = case.command.split()[0] in WRITERS and ended.code == 0
    for name in before.keys() | after.keys():
        if before.get(name) == after.get(name) or name.endswith(SPECTRA) or name.startswith("out"):
            continue
        if name.endswith(".spectra.h5") or (writes and name == f"run/{RUN}"):
            continue
        if name.endswith((".tmp", ".lock", ".importing")):
            if name in before and before[name].startswith(("link", "0", "1", "2", "4")) and name not in after:
                continue  # a leftover that the next writer removes
            yield f"left {Path(name).suffix}" if name not in before else f"changed {Path(name).suffix}"
        elif name not in after:
            yield "removed a file"
        else:
            yield "changed a file" if name in before else "left a file"


def rows_of(path: Path) -> dict[int, int]:
    """Return a hash of what each whole checkpoint of a run file holds, by step; read by HDF5 alone."""
    with h5py.File(path, "r", locking=False) as file:
        layers = sorted(file["layers"].items(), key=lambda item: int(item[1].attrs["order"]))
        paths = [f"layers/{name}/{part}" for name, layer in layers for part in ("weight", "bias") if part in layer]
        paths += [f"metrics/{name}" for name in json.loads(file.attrs["metrics"])]
        paths += ["test_predictions"] if "test_predictions" in file else []
        rows = {}
        for row, step in enumerate(file["steps"][...]):
            content = step.tobytes() + b"".join(np.asarray(file[name][row]).tobytes() for name in paths)
            if step >= 0 and zlib.crc32(content) == int(file["crc32"][row]):
                rows[int(step)] = zlib.crc32(content)
        return rows


def lost(before: Path, after: Path) -> Iterator[str]:
    """Say where a file that was written lacks a checkpoint which was whole before, or has it otherwise."""
    kept = rows_of(after)
    for step, content in rows_of(before).items():
        if step not in kept:
            yield "lost a checkpoint"
        elif kept[step] != content:
            yield "altered a checkpoint"


def untrue(case: Case, ended: Ended, sound: Mapping[int, Any], table: Mapping[str, list[str]]) -> Iterator[str]:
    """Say where what was printed as fact of an undamaged checkpoint is not what the sound file holds.

    `sound` is what `show --json` says of the sound run by step, `table` what `export` prints of it by step.
    """
    if case.kind not in ("run", "spectra") or ended.code != 0:
        return
    if case.command.startswith("show") and "--json" in case.command:
        yield from _untrue_numbers(json.loads(ended.stdout), sound)
    elif case.command.startswith("export"):
        for row in list(csv.reader(ended.stdout.splitlines()))[1:]:
            right = table.get(row[0], [])
            if len(right) == len(row) and any(
                cell not in ("", was) for cell, was in zip(row[2:], right[2:], strict=True)
            ):
                yield "silently altered metrics"
                return


def _untrue_numbers(shown: Mapping[str, Any], sound: Mapping[int, Any]) -> Iterator[str]:
    right = sound.get(shown["step"])
    if right is None:
        yield "a step that there is not"
        return
    layers = {layer["name"]: layer for layer in right["layers"]}
    for layer in shown["layers"]:
        if layer["name"] in layers and not _same(layer, layers[layer["name"]]):
            yield "silently altered spectra"
            return
    if any(
        shown["metrics"][name] not in (None, value)
        for name, value in right["metrics"].items()
        if name in shown["metrics"]
    ):
        yield "silently altered metrics"


def _same(shown: Any, right: Any) -> bool:
    if isinstance(right, dict):
        return all(_same(shown.get(key), value) for key, value in right.items() if key != "weightwatcher")
    if isinstance(right, list):
        return len(shown) == len(right) and all(map(_same, shown, right))
    if isinstance(right, float) and isinstance(shown, float):
        return math.isclose(shown, right, rel_tol=1e-9, abs_tol=1e-12)
    return bool(shown == right)


def imported(case: Case, path: Path) -> Iterator[str]:
    """Say where a run made of archives with CRCs, damaged, has other weights than those that were saved."""
    if (
        case.command != IMPORT
        or case.kind not in ("pt", "npz")
        or case.mutation not in {m.__name__ for m in BYTEWISE}
    ):
        return
    with h5py.File(path, "r", locking=False) as file:
        for row, step in enumerate(file["steps"][...]):
            for name, group in file["layers"].items():
                right = tensors_at(int(step)).get(f"{name}.weight")
                if right is None or not (
                    np.array_equal(group["weight"][row], right) or np.isnan(group["weight"][row]).all()
                ):
                    yield "silently altered weights"
