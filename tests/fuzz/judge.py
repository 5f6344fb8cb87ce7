"""What must be so after a command has met a changed file, whatever was changed."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.case import EXPORT, LAYERS, SHOW, Case
from tests.fuzz.child import Ended
from tests.fuzz.material import RUN, SECRET

EXIT_CODES = (0, 1, 2)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
WRITERS = ("compact", "train")
GIVEN = ("in_its_place", "strange_file")  # links from a run or a checkpoint are followed, as a hub's cache needs
FIRST_NUMBER = {EXPORT: 2, LAYERS: 9}  # behind names, places, times and words
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


def problems(case: Case, ended: Ended, before: Facts, after: Facts, drawn: Iterable[Path] = ()) -> Iterator[str]:
    """Say what is wrong with how a command ended, and with what it left; `drawn` are pages and pictures."""
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
    if any(CONTROLS.search(path.read_text(errors="replace")) for path in drawn):
        yield "control characters drawn"
    if f"{SECRET}" in ended.stdout and case.mutation not in GIVEN:
        yield "another file's content shown"
    yield from _changed(case, ended, before, after)


def _changed(case: Case, ended: Ended, before: Facts, after: Facts) -> Iterator[str]:
    """Say which files are not as they were: only results may be new, and only a writer's own file be another."""
    writes = case.command.split()[0] in WRITERS and ended.code == 0
    for name in before.keys() | after.keys():
        suffix = Path(name).suffix
        is_new = name.startswith("out") and suffix != ".lock"
        is_result = is_new or name.endswith(".spectra.h5") or (writes and name == f"run/{RUN}")
        if before.get(name) == after.get(name) or is_result:
            continue
        if name not in before:
            yield f"left {suffix}"
        elif name in after:
            yield f"changed {suffix}"
        elif suffix not in (".tmp", ".lock", ".importing"):  # a leftover, which the next writer removes
            yield f"removed {suffix}"


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


def untrue(
    case: Case, command: str, ended: Ended, sound: Mapping[int, Any], tables: Mapping[str, str]
) -> Iterator[str]:
    """Say where what a command printed as fact of an undamaged checkpoint is not what the sound file holds.

    `sound` is what `show --json` says of the sound run by step, `tables` what each `export` prints of it.
    """
    if case.kind not in ("run", "spectra") or ended.code != 0:
        return
    if command == SHOW:
        yield from _untrue_numbers(json.loads(ended.stdout), sound)
    elif command in tables:
        first = FIRST_NUMBER[command]
        shown, right = exported(command, ended.stdout), exported(command, tables[command])
        for key, row in shown.items():
            known = right.get(key, [])
            if len(known) == len(row) and not all(map(_same_or_empty, row[first:], known[first:])):
                yield "silently altered numbers"
                return


def exported(command: str, text: str) -> dict[tuple[str, ...], list[str]]:
    """Return the lines that `export` has printed, by step, or by step and layer."""
    return {(row[0], row[3] if command == LAYERS else ""): row for row in list(csv.reader(text.splitlines()))[1:]}


def _same_or_empty(shown: str, right: str) -> bool:
    return shown in ("", right)


def _untrue_numbers(shown: Mapping[str, Any], sound: Mapping[int, Any]) -> Iterator[str]:
    right = sound.get(shown["step"])
    if right is None:
        yield "a step that there is not"
        return
    layers = {layer["name"]: layer for layer in right["layers"]}
    if not all(_same(layer, layers[layer["name"]]) for layer in shown["layers"] if layer["name"] in layers):
        yield "silently altered spectra"
    metrics = right["metrics"]
    if any(value not in (None, metrics[name]) for name, value in shown["metrics"].items() if name in metrics):
        yield "silently altered metrics"


def _same(shown: Any, right: Any) -> bool:
    if isinstance(right, dict):
        return all(_same(shown.get(key), value) for key, value in right.items() if key != "weightwatcher")
    if isinstance(right, list):
        return len(shown) == len(right) and all(map(_same, shown, right))
    if isinstance(right, float) and isinstance(shown, float):
        return math.isclose(shown, right, rel_tol=1e-9, abs_tol=1e-12)
    return bool(shown == right)
