"""Where the spectra of a run lie and how: the places, the datasets, and which file found there is theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

from grokscope.analysis.gates import gates_datasets
from grokscope.analysis.row_reader import File, file_of
from grokscope.analysis.rows import row_datasets
from grokscope.analysis.weightwatcher_names import COLUMNS
from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Declared, Extent, exact_extents
from grokscope.runfile.own_bytes import refuse_endless
from grokscope.runfile.preallocated import Plan
from grokscope.spectra import ANALYSIS_VERSION
from grokscope.spectra.null import DRAWS
from grokscope.spectra.null_store import cache_folder
from grokscope.trajectory import Trajectory
from grokscope.trajectory.whose import is_of_hub

LONGEST_NAME = 240  # of the 255 bytes that file systems allow: temporary files have longer ones
FORMAT = "grokscope-spectra"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Parameters:
    """What an analysis depends on beside the weights."""

    seed: int = 0
    permutations: int | None = None
    null_draws: int = DRAWS


def beside(run: Path) -> Path:
    """Return where the spectra of a run lie: run.h5 → run.spectra.h5, others by their whole name."""
    path = run if run.name else run.resolve()  # "." has none
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
    for layer in run.layers:
        datasets |= {f"layers/{layer.name}/{key}": value for key, value in _layer_datasets(layer, length).items()}
        datasets |= {
            f"weightwatcher/{layer.name}/{column}": Declared((length,), "f8", np.nan) for column in COLUMNS
        }
    return datasets


def _layer_datasets(layer: LayerSpec, length: int) -> dict[str, Declared]:
    keys = {"crc32": Declared((length,), "u4", 0), "source_crc32": Declared((length,), "u4", 0)}
    return row_datasets(layer, length) | keys


Exact = dict[File, Mapping[str, Extent]]
"""Where each dataset is, of files that were found to have the layout of a run."""


def _parameters_of(path: Path, run: Trajectory, exact: Exact) -> Parameters | None:
    """Return the parameters of a spectra file of this run and this version; None for any other or none.

    The layout of a file in `exact` is not looked at again: that takes seconds where there are hundreds of layers.
    """
    if not path.is_file():
        return None
    try:
        with open_file(path) as file:
            status = file_of(path.stat())
            if status not in exact:
                found = exact_extents(file, datasets_of(run, len(file["planned_steps"])))
                refuse_endless(file, [(extent.offset, extent.size) for extent in found.values()])
                exact[status] = found
            attributes = dict(file.attrs)
            keyed = tuple(attributes[key] for key in ("format", "format_version", "run_uuid", "analysis_version"))
            if keyed != (FORMAT, FORMAT_VERSION, run.uuid, ANALYSIS_VERSION):
                return None
        return Parameters(**json.loads(attributes["parameters"]))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        return None  # torn or foreign: as good as absent


def found_file(run: Trajectory, exact: Exact | None = None) -> tuple[Path | None, Parameters]:
    """Return the first spectra file of a run and its parameters, or None and the defaults."""
    known: Exact = {} if exact is None else exact
    for path in places(run):
        if (parameters := _parameters_of(path, run, known)) is not None:
            return path, parameters
    return None, Parameters()


def capacity(path: Path) -> int:
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
