"""Which rows of a run file hold checkpoints, and whether their bytes are the ones that were written."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from grokscope.runfile.layout import NOT_COMMITTED
from grokscope.runfile.preallocated import raw_bytes


def in_order(steps: NDArray[np.int64]) -> bool:
    """Tell whether the steps are as a writer leaves them: ascending from the first row on, without a gap."""
    committed = steps[steps != NOT_COMMITTED]
    return bool(np.all(steps[: len(committed)] == committed) and np.all(np.diff(committed, prepend=-1) > 0))


def committed_rows(file: h5py.File, steps: NDArray[np.int64], paths: Sequence[str]) -> NDArray[np.intp]:
    """Return the rows of the committed checkpoints, intp [n].

    Where the steps are out of order, some of them are damaged, and only rows count that match their CRC.
    """
    rows = np.flatnonzero(steps != NOT_COMMITTED)
    return rows if in_order(steps) else rows[[row_is_whole(file, int(row), paths) for row in rows]]


def row_is_whole(file: h5py.File, row: int, paths: Sequence[str]) -> bool:
    """Tell whether a row's step and the rows of `paths`, in this order, match the row's CRC."""
    crc = zlib.crc32(raw_bytes(file["steps"][row]))
    for path in paths:
        crc = zlib.crc32(raw_bytes(file[path][row]), crc)
    return crc == int(file["crc32"][row])
