"""Opening a run file without any lock, and what it says of itself; what is none is refused in a sentence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import h5py
import numpy as np

from grokscope.errors import BadRunFile, RunLocked, UsageError
from grokscope.files import kind_of
from grokscope.names import pasted
from grokscope.runfile.layout import FORMAT, FORMAT_VERSION, RESUME_SLOTS, LayerSpec, Layout, file_plan
from grokscope.runfile.own_bytes import NotItsOwn, refuse_endless, refuse_foreign


def read_layout(path: Path) -> Layout:
    """Read what a run file says of itself; raises BadRunFile with what is wrong and what to do."""
    kind = kind_of(path)
    if kind == "a folder":
        raise BadRunFile(f"{path} is a folder; give a run file, or make one of it by `grokscope import`")
    if kind == "nothing" and path.suffix != ".h5":
        raise BadRunFile(f"there is no file or folder {path}")
    if kind == "nothing":
        raise BadRunFile(f"there is no file {path}; `grokscope train -o {pasted(path)}` makes one")
    if kind != "a file":
        raise BadRunFile(f"{path} is {kind}; give a run file")
    with reading(path) as file:
        return layout_of(file)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """Open a run file for a while; raises BadRunFile where it cannot be, or HDF5 cannot read what is asked for."""
    with _open(path) as file:
        try:
            yield file
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            reason = f"{path} is a damaged run file ({error}); `grokscope check {pasted(path)}` says more"
            raise BadRunFile(reason) from error


def _open(path: Path) -> h5py.File:
    """Open for reading without any lock: a viewer must never make a trainer's write fail."""
    try:
        return h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise BadRunFile(f"{path} is gone; it was there a moment ago") from None
    except PermissionError:
        raise BadRunFile(f"{path} cannot be read: permission denied; ask its owner for read access") from None
    except BlockingIOError:  # HDF5_USE_FILE_LOCKING=TRUE has it lock all the same
        raise locked(path) from None
    except OSError as error:
        if "file locking" in str(error):  # this process has it open in another way: share that
            return h5py.File(path, "r")
        raise BadRunFile(_why_unreadable(path, str(error))) from None


def locked(path: Path) -> RunLocked:
    """Say of an HDF5 file that another program keeps it from being read."""
    return RunLocked(
        f"{path} is locked by another program; close it there, or set HDF5_USE_FILE_LOCKING=FALSE here"
    )


def _why_unreadable(path: Path, message: str) -> str:
    if "truncated" in message:
        return f"{path} is truncated: it is shorter than its own description says; restore it from a copy"
    try:
        is_hdf5 = bool(h5py.is_hdf5(path))
    except OSError:
        is_hdf5 = False
    if not is_hdf5:
        return f"{path} is not an HDF5 file; a run file is made by `grokscope train` or `grokscope import`"
    return f"{path} is a damaged HDF5 file; `grokscope check {pasted(path)}` says more"


def layout_of(file: h5py.File) -> Layout:
    """Return what an open file says of itself; raises BadRunFile as `read_layout` does."""
    path = file.filename
    try:
        refuse_endless(file)
    except NotItsOwn as error:
        raise BadRunFile(f"{path} is a damaged HDF5 file: {error}; restore it from a copy") from None
    if file.attrs.get("format") == "grokscope-spectra":
        raise BadRunFile(f"{path} holds the spectra of a run; give the run file itself")
    if file.attrs.get("format") != FORMAT:
        raise BadRunFile(
            f"{path} is an HDF5 file, but no grokscope run; `grokscope import` makes runs of checkpoints"
        )
    try:
        refuse_foreign(file)
        version = int(file.attrs["format_version"])
        if version > FORMAT_VERSION:
            raise BadRunFile(f"{path} has run file format {version}; install a newer grokscope")
        layout = _as_it_says(file)
        _refuse_other_rows(file, layout)
        return layout
    except NotItsOwn as error:
        raise BadRunFile(
            f"{path} is no run file as grokscope writes it: {error}; restore it from a copy"
        ) from None
    except (LookupError, OSError, ValueError, TypeError, AttributeError, RuntimeError, UsageError) as error:
        raise BadRunFile(f"{path} is a damaged run file ({error}); restore it from a copy") from None


def _refuse_other_rows(file: h5py.File, layout: Layout) -> None:
    """Raise ValueError where a dataset does not hold numbers of its kind, one row for each step of the file.

    One that is missing is met when it is read: what there is of the others can still be looked at.
    """
    plan = file_plan(replace(layout, steps=np.arange(len(file["steps"]))))
    for name, declared in plan.datasets.items():
        try:
            dataset = h5py.h5d.open(file.id, name.encode())  # a third of the time that file[name] takes
        except KeyError:
            if isinstance(file.get(name), h5py.Group):
                raise ValueError(f"{name} is a group where numbers are right") from None
            continue
        if dataset.shape != tuple(declared.shape) and name != "planned_steps":
            raise ValueError(f"{name} has shape {dataset.shape} where {tuple(declared.shape)} is right")
        if dataset.dtype.kind != np.dtype(declared.dtype).kind:
            raise ValueError(f"{name} holds {dataset.dtype} where numbers as {np.dtype(declared.dtype)} are right")


def _layers_in(groups: h5py.Group) -> Iterator[tuple[int, LayerSpec, str]]:
    """Yield each layer with its place and the dtype in which it is stored.

    That may be codes of the one in which it was given, which is then an attribute.
    """
    for name, group in groups.items():
        said, weight = group.attrs, group["weight"]
        stored = str(weight.dtype)
        given, note = str(said.get("dtype", stored)), str(said.get("note", ""))
        spec = LayerSpec(name, tuple(weight.shape[1:]), str(said["kind"]), "bias" in group, given, note)
        yield int(said["order"]), spec, stored


def _as_it_says(file: h5py.File) -> Layout:
    layers = sorted(_layers_in(file["layers"]), key=itemgetter(0))
    slots = tuple(slot for slot in RESUME_SLOTS if f"resume/{slot}/arrays" in file)
    resume = file[f"resume/{slots[0]}/arrays"] if slots else {}
    fixed = file.get("fixed", {})
    classes = file["test_predictions"].shape[1] if "test_predictions" in file else None
    return Layout(
        steps=file["planned_steps"][...],
        layers=tuple(layer for _, layer, _ in layers),
        metrics=tuple(json.loads(file.attrs["metrics"])),
        config=json.loads(file.attrs["config"]),
        origin=str(file.attrs["origin"]),
        classes=classes,
        store_dtype=layers[0][2],
        fixed={name: dataset[...] for name, dataset in fixed.items()},
        fixed_crc32={name: int(item.attrs["crc32"]) for name, item in fixed.items() if "crc32" in item.attrs},
        resume={name: (dataset.shape, str(dataset.dtype)) for name, dataset in resume.items()},
        slots=slots or RESUME_SLOTS,
        kept_states=len(file.get("kept", ())),
        notes="notes" in file,
        uuid=str(file.attrs["uuid"]),
        created=str(file.attrs["created"]),
    )
