"""What a run file that was made holds, beside what others read in its sources, or what was put into them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from tests.fuzz.bytewise import BYTEWISE
from tests.fuzz.case import Case
from tests.fuzz.material import RUN, TABLE, tensors_at

CHANGED_BYTES = {mutation.__name__ for mutation in BYTEWISE}
OTHER_SOURCES = ("as_json_lines", "of_trainer")
Array = NDArray[np.generic]
Candidates = Callable[[int, str], Sequence[Array]]
"""What the weight of a layer may be at a step."""


def made(case: Case, folder: Path, sound: Path) -> Iterator[str]:
    """Say where the run that a command made holds other numbers than its sources; `sound` is the material."""
    with h5py.File(folder / "out.h5", "r", locking=False) as file:
        if case.command.startswith("branch"):
            with h5py.File(sound / "run" / RUN, "r", locking=False) as parent:
                yield from _other_weights(file, lambda step, layer: _at_step(parent, step, layer), rows=1)
        elif case.kind in ("pt", "npz") and case.mutation in CHANGED_BYTES:  # archives, which have CRCs
            yield from _other_weights(file, _saved)
        elif case.kind == "safetensors" and case.mutation != "other_shape":  # which may become several layers
            yield from _other_weights(file, _read_by_its_library(folder / "safetensors"))
        elif case.kind == "table" and case.mutation not in OTHER_SOURCES:
            yield from _other_metrics(file, folder / "safetensors" / TABLE)


def _other_weights(file: h5py.File, right: Candidates, rows: int | None = None) -> Iterator[str]:
    for row, step in enumerate(file["steps"][:rows].tolist()):
        for name, group in file["layers"].items():
            weight = group["weight"][row]
            if not np.isnan(weight).all() and not any(_equal(weight, one) for one in right(step, name)):
                yield "silently altered weights"


def _equal(weight: Array, other: Array) -> bool:
    return np.array_equal(weight.ravel().astype("f8"), other.ravel().astype("f8"), equal_nan=True)


def _saved(step: int, layer: str) -> Sequence[Array]:
    return [array for name, array in tensors_at(step).items() if name == f"{layer}.weight"]


def _at_step(parent: h5py.File, step: int, layer: str) -> Sequence[Array]:
    return [parent[f"layers/{layer}/weight"][row] for row in np.flatnonzero(parent["steps"][...] == step)]


def _read_by_its_library(folder: Path) -> Candidates:
    """What the format's own library reads: the weight of that name, or any where a name was changed."""
    found: dict[str, list[Array]] = {}
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118 (it is no mapping)
                    found.setdefault(name, []).append(file.get_tensor(name))
        except (SafetensorError, OSError, TypeError, ValueError):
            continue
    everything = [array for arrays in found.values() for array in arrays]
    return lambda _, layer: found.get(f"{layer}.weight", everything)


def _other_metrics(file: h5py.File, table: Path) -> Iterator[str]:
    lines = _numbers(table)
    for row, step in enumerate(file["steps"][...].tolist()):
        there = [number for line in lines if {step, step - 1} & _whole(line) for number in line]
        for name, values in file.get("metrics", {}).items():
            value = float(values[row])
            if not math.isnan(value) and not any(_same(value, number) for number in there):
                yield f"another {name} than the table's"


def _numbers(table: Path) -> list[list[float]]:
    """Return the numbers that stand in each line, whatever their columns are."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return []
    return [list(_parsed(line)) for line in text.replace("\r", "\n").split("\n")]


def _parsed(line: str) -> Iterator[float]:
    for cell in line.split(","):
        try:
            yield float(cell)
        except ValueError:
            continue


def _whole(numbers: Sequence[float]) -> set[int]:
    return {int(number) for number in numbers if math.isfinite(number)}


def _same(value: float, number: float) -> bool:
    """Whether a metric is a table's number, or its hundredth: accuracies in percent become fractions."""
    return value == number or math.isclose(value * 100, number, rel_tol=1e-12)
