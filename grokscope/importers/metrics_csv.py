"""A table of metrics over steps, as a stranger's training would leave it: CSV with a `step` column."""

from __future__ import annotations

import csv
from pathlib import Path

from grokscope.errors import UsageError


def read_metrics(path: Path) -> dict[int, dict[str, float]]:
    """Read step → {metric: value}; empty cells are left out, and `train/loss` becomes train_loss.

    Raises UsageError naming the bad line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a byte order mark first
            reader = csv.DictReader(file)
            reader.fieldnames = [name.strip().replace("/", "_") for name in reader.fieldnames or []]
            if "step" not in reader.fieldnames:
                raise UsageError(f"{path} has no `step` column; its first line must name the columns")
            return {_step(row, path, reader.line_num): _values(row, path, reader.line_num) for row in reader}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is not a text file; give a CSV with a `step` column") from None


def _step(row: dict[str, str], path: Path, line: int) -> int:
    try:
        return int(float(row["step"]))
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{path}, line {line}: {row['step']!r} is not a step") from None


def _values(row: dict[str, str], path: Path, line: int) -> dict[str, float]:
    try:
        return {name: float(value) for name, value in row.items() if name and name != "step" and value}
    except (TypeError, ValueError):
        raise UsageError(f"{path}, line {line}: a metric is not a number") from None
