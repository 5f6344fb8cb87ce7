"""The metrics of checkpoints: what they say themselves, and what a table beside them says of their steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError
from grokscope.importers import metrics_of, read_metrics
from grokscope.importers.metric_names import as_fractions, is_accuracy
from grokscope.importers.metrics_table import at_steps

IN_THE_FOLDER = ("metrics.csv", "metrics.jsonl", "log.jsonl", "*.tfevents.*")
Rows = list[dict[str, float]]
STATE = "trainer_state.json"  # of the Hugging Face Trainer, in every checkpoint: the last one's tells all
LOGGERS_FOLDER = "checkpoints"  # Lightning's, with its logger's table beside it


@dataclass(frozen=True)
class Metrics:
    """Each metric over the checkpoints, float64 [n], NaN where it is not known, and how they were found."""

    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def metrics_of_checkpoints(
    path: Path,
    steps: Sequence[int],
    extras: Sequence[Mapping[str, object]],
    last: Path,
    given: Path | None,
    counts: str = "",
) -> Metrics:
    """Collect the metrics of checkpoints at `steps`, of which `last` is the newest; see Numbering for `counts`.

    Raises UsageError where a `given` table cannot be read or has none of the steps; one that is found beside them
    and cannot be read is a note.
    """
    rows = [dict(metrics_of(extra)) for extra in extras]
    notes = _fractions(rows, path)
    for table in [given] if given else _tables(path, last):
        try:
            found, said = _at(table, steps, counts)
        except (UsageError, MissingPackage) as error:
            if given:
                raise
            notes.append(f"metrics not used: {error}")
            continue
        if given and not any(found):
            raise UsageError(f"{given} has no step of the checkpoints in {path}; give the metrics of these steps")
        rows = [row | more if given else more | row for row, more in zip(rows, found, strict=True)]
        notes += said if any(found) else [f"{table.name} has no step of the checkpoints"]
    names = sorted({name for row in rows for name in row})
    return Metrics({name: np.array([row.get(name, np.nan) for row in rows]) for name in names}, tuple(notes))


def _fractions(rows: list[dict[str, float]], path: Path) -> list[str]:
    """Make fractions of accuracies in percent; what is neither is left out, and it is said."""
    try:
        return as_fractions(rows, path)
    except UsageError as error:
        for row in rows:
            for name in [name for name in row if is_accuracy(name)]:
                del row[name]
        return [f"accuracies inside the files not used: {error}"]


def _at(table: Path, steps: Sequence[int], counts: str) -> tuple[Rows, list[str]]:
    """Return each checkpoint's row of a table, and what is said of it; raises UsageError if it counts otherwise.

    One that ends where the checkpoints end counts as they do, whatever its column is called.
    """
    metrics = read_metrics(table, counts)
    last = max(metrics, default=0)
    if counts not in ("", metrics.counts) and last not in (steps[-1] - 1, steps[-1]):
        raise UsageError(
            f"{table} counts {metrics.counts}s up to {last:,}, and the checkpoints are at {counts}s up to "
            f"{steps[-1]:,}; give it a column `{counts}`"
        )
    found, shifted = at_steps(metrics, steps)
    if not counts and _by_epochs_otherwise(table, steps, found):
        raise UsageError(
            f"{table} has these numbers both as steps and as epochs, and nothing says which the checkpoints have; "
            "label them in their names (step10, epoch10), or give a table with one of both"
        )
    return found, [f"metrics from {table.name}", *metrics.notes, *([shifted] if shifted else [])]


def _by_epochs_otherwise(table: Path, steps: Sequence[int], found: Rows) -> bool:
    """Tell whether a table has other values for checkpoints whose numbers are epochs."""
    try:
        by_epochs, _ = at_steps(read_metrics(table, "epoch"), steps)
    except UsageError:
        return False
    pairs = zip(found, by_epochs, strict=True)
    return any(row[name] != other[name] for row, other in pairs for name in row.keys() & other.keys())


def _tables(path: Path, last: Path) -> Iterator[Path]:
    """Tables beside the checkpoints, and the state that the Trainer keeps in the last one."""
    folder = path if path.is_dir() else None
    folders = [folder] if folder else []
    if last.parent.name == LOGGERS_FOLDER:
        folders.append(last.parent.parent)
    for place in dict.fromkeys(folders):
        yield from (table for pattern in IN_THE_FOLDER for table in sorted(place.glob(pattern)))
    for place in (last, last.parent):
        if (place / STATE).is_file():
            yield place / STATE
            return
