"""The metrics of checkpoints: what they say themselves, and what a table beside them says of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers import metrics_of, read_metrics

TABLES = ("metrics.csv",)


@dataclass(frozen=True)
class Metrics:
    """Each metric over the checkpoints, float64 [n], NaN where it is not known, and how they were found."""

    values: Mapping[str, NDArray[np.float64]]
    notes: tuple[str, ...] = ()


def metrics_of_checkpoints(
    path: Path,
    steps: NDArray[np.int64],
    extras: Sequence[Mapping[str, object]],
    given: str | Path | None,
) -> Metrics:
    """Collect the metrics of checkpoints at `steps`; raises UsageError where a `given` table has none of them."""
    rows = [dict(metrics_of(extra)) for extra in extras]
    folder = path if path.is_dir() else path.parent
    for table in [Path(given)] if given else [folder / name for name in TABLES if (folder / name).is_file()]:
        found = read_metrics(table)
        if given and not found.keys() & set(steps.tolist()):
            raise UsageError(f"{given} has no step of the checkpoints in {path}; give the metrics of these steps")
        for row, step in zip(rows, steps.tolist(), strict=True):
            row |= found.get(step, {})
    names = sorted({name for row in rows for name in row})
    return Metrics({name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names})
