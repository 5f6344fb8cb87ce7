"""Where the spectra of a run lie and how: the places, the datasets, and which file found there is theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

import h5py
import numpy as np

from grokscope.analysis.gates import gates_datasets
from grokscope.analysis.row_reader import File, file_of
from grokscope.analysis.rows import row_datasets
from grokscope.analysis.weightwatcher_names import COLUMNS
from grokscope.files import cache_folder, with_a_name
from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Declared, Extent, exact_extents
from grokscope.runfile.own_bytes import refuse_endless
from grokscope.runfile.preallocated import Plan
from grokscope.spectra import ANALYSIS_VERSION
from grokscope.spectra.null import DRAWS
from grokscope.trajectory import Trajectory
from grokscope.trajectory.whose import is_of_hub
from grokscope.turns import in_turns

LONGEST_NAME = 240  # of the 255 bytes that file systems allow: temporary files have longer ones
FORMAT = "grokscope-spectra"
FORMAT_VERSION = 1
MOST_KNOWN = 64  # spectra files whose layout is known to a process


@dataclass(frozen=True)
class Parameters:
    """What an analysis depends on beside the weights."""

    seed: int = 0
    permutations: int | None = None
    null_draws: int = DRAWS


def beside(run: Path) -> Path:
    """Return where the spectra of a run lie: run.h5 → run.spectra.h5, others by their whole name."""
    path = with_a_name(run)
    return path.with_name(f"{path.stem if path.suffix == '.h5' else path.name}.spectra.h5")


def in_cache(uuid: str) -> Path:
    """Return where they lie when the run's folder cannot be written."""
    return cache_folder() / "spectra" / f"{uuid}.spectra.h5"


def places(run: Trajectory) -> tuple[Path, ...]:
    """Return where the spectra of a run can be, first the place to write: beside it, if its folder allows."""
    path, cached = beside(run.path), in_cache(run.uuid)
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        return (cached,)
    if is_of_hub(run.path):
        return cached, path
    writable = os.access(path if path.exists() else path.parent, os.W_OK) and os.access(path.parent, os.W_OK)
    return (path, cached) if writable else (cached, path)


def file_plan(run: Trajectory, parameters: Parameters) -> Plan:
    """Plan an empty spectra file for a run."""
    length = len(run.planned_steps)
    datasets = datasets_of(run, length) | {"planned_steps": Declared((length,), "i8", run.planned_steps)}
    attributes: dict[str, str | int] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "run_uuid": run.uuid,
        "analysis_version": ANALYSIS_VERSION,
        "parameters": json.dumps(asdict(parameters), sort_keys=True),
    }
    return Plan(datasets, {"/": attributes})


def datasets_of(run: Trajectory, length: int) -> dict[str, Declared]:
    """Declare all datasets of the spectra file of a run with room for `length` checkpoints."""
    datasets = {"planned_steps": Declared((length,), "i8")} | gates_datasets(run.layers, length)
    for layer in in_turns(run.layers, 10):
        datasets |= {f"layers/{layer.name}/{key}": value for key, value in _layer_datasets(layer, length).items()}
        datasets |= {
            f"weightwatcher/{layer.name}/{column}": Declared((length,), "f8", np.nan) for column in COLUMNS
        }
    return datasets


def _layer_datasets(layer: LayerSpec, length: int) -> dict[str, Declared]:
    keys = {"crc32": Declared((length,), "u4", 0), "source_crc32": Declared((length,), "u4", 0)}
    return row_datasets(layer, length) | keys


@dataclass(frozen=True)
class Found:
    """A spectra file that is a run's: which file, where each of its datasets is, and what it depends on."""

    path: Path
    file: File
    extents: Mapping[str, Extent]
    parameters: Parameters


_looked_at: dict[File, tuple[tuple[object, ...], Mapping[str, Extent]]] = {}
_looking = Lock()


def _extents(file: h5py.File, status: File, run: Trajectory) -> Mapping[str, Extent]:
    """Return where each dataset of a run's spectra file is; raises OtherLayout or NotItsOwn where it has another
    layout.

    Each file is looked at once in a process: that takes seconds where there are hundreds of layers.
    """
    length = len(file["planned_steps"])
    wanted = (run.layers, length)
    with _looking:
        known = _looked_at.get(status)
        if known is not None and known[0] == wanted:
            return known[1]
        found = exact_extents(file, datasets_of(run, length))
        refuse_endless(file, [(extent.offset, extent.size) for extent in found.values()])
        while len(_looked_at) >= MOST_KNOWN:
            del _looked_at[next(iter(_looked_at))]
        _looked_at[status] = wanted, found
    return found


def _found_at(path: Path, run: Trajectory) -> Found | None:
    """Return the spectra file of this run and this version at a path; None for any other or none."""
    if not path.is_file():
        return None
    try:
        with open_file(path) as file:
            status = file_of(path.stat())
            extents, attributes = _extents(file, status, run), dict(file.attrs)
            keyed = tuple(attributes[key] for key in ("format", "format_version", "run_uuid", "analysis_version"))
            if keyed != (FORMAT, FORMAT_VERSION, run.uuid, ANALYSIS_VERSION):
                return None
        return Found(path, status, extents, Parameters(**json.loads(attributes["parameters"])))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        return None  # torn or foreign: as good as absent


def found_file(run: Trajectory) -> Found | None:
    """Return the first spectra file of a run, or None."""
    return next((found for path in places(run) if (found := _found_at(path, run)) is not None), None)


def room(path: Path) -> int:
    """Return for how many checkpoints a spectra file has room."""
    with open_file(path) as file:
        return len(file["planned_steps"])


def layer_position(run: Trajectory, name: str) -> int:
    """Return the place of a layer among those of a run; KeyError names them where it has none of that name."""
    names = [layer.name for layer in run.layers]
    if name not in names:
        raise KeyError(f"{name} is no layer of {run.path}; its layers are {', '.join(names)}")
    return names.index(name)


def open_file(path: Path) -> h5py.File:
    """Open a spectra file for reading, also while another process writes to it."""
    return h5py.File(path, "r", locking=False)
