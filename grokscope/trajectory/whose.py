"""Whose a file is: grokscope's own, or the hub's."""

from __future__ import annotations

from pathlib import Path

import h5py

from grokscope.runfile.own_bytes import NotItsOwn, refuse_endless


def is_of_hub(path: Path) -> bool:
    """Tell whether a path lies in the hub's cache, where nobody else should write."""
    above = path.resolve()
    return any((p / "snapshots").is_dir() and (p / "blobs").is_dir() for p in (above, *above.parents[:2]))


def is_of_grokscope(path: Path) -> bool:
    """Tell run files and spectra files from other HDF5 files."""
    try:
        with h5py.File(path, "r", locking=False) as hdf5:
            if {"planned_steps", "layers"} <= set(hdf5):  # no attribute has to be read, which has to be safe
                return True
            refuse_endless(hdf5)
            return str(hdf5.attrs.get("format", "")).startswith("grokscope")
    except (NotItsOwn, BlockingIOError):
        return True  # whose reader says what is wrong, or that another program has locked it
    except (KeyError, OSError, RuntimeError, ValueError):
        return False
