"""A table of metrics over steps, as loggers leave it: CSV, JSON lines, trainer_state.json, TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.files import read_text
from grokscope.importers.metric_names import EPOCHS, STEPS, as_fractions, renamed

Row = tuple[int, Mapping[str, Any]]
"""The line that a row stands in, and its cells by column."""

SUMMARY = "train_runtime"
"""Only the last line of the Hugging Face Trainer has it: means over the whole training, not a step's metrics."""
HISTORY = '"log_history"'
"""A key of the Trainer's state, in which `loss` is that of the training."""
LARGEST_TABLE = 1 << 30


class Metrics(dict[int, dict[str, float]]):
    """Step → {metric: value}, what these steps are ("step" or "epoch"), and what a reader should be told."""

    counts: str = "step"
    notes: tuple[str, ...] = ()


def read_metrics(path: Path, counts: str = "") -> Metrics:
    """Read a table: rows of one step are merged, known names are mapped to grokscope's, percents become fractions.

    `counts` is what its rows are wanted by where it has both, "epoch" or else "step". Of an epoch's many steps the
    last that has a metric tells it. Raises UsageError, naming the line, where it cannot be read or a row
    contradicts another one of its step.
    """
    if "tfevents" in path.name:
        from grokscope.importers.tensorboard import read_events

        rows: list[Row] = list(read_events(path))
        if not rows:
            raise UsageError(f"{path} holds no scalars, or is no event file of TensorBoard")
        trainers = False
    else:
        text = _text(path)
        rows, trainers = list(_rows(text, path)), HISTORY in text
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    counter, within = _counter(columns, counts, path)
    names, told = renamed(name for name in columns if name not in (counter, within))
    if trainers and names.get("loss") == "loss" and "train_loss" not in names.values():
        names["loss"] = "train_loss"
        told.append("loss is read as train_loss")
    metrics = Metrics()
    metrics.counts = "epoch" if counter.lower() in EPOCHS else "step"
    texts = _text_columns(rows, names)
    for line, row in rows:
        step, values = _step(row, counter, path, line), _values(row, names, texts, path, line)
        if within:
            metrics[step] = metrics.get(step, {}) | {name: v for name, v in values.items() if not math.isnan(v)}
        else:
            _merge(metrics, step, values, path, line)
    told += as_fractions(list(metrics.values()), path)
    told += [f"{name} is text and is not used" for name in texts]
    told += [f"{counter} is read as the step"] if counter != "step" else []
    metrics.notes = tuple(told)
    return metrics


def at_steps(table: Metrics, steps: Sequence[int]) -> tuple[list[dict[str, float]], str]:
    """Return the row of each checkpoint: that of its step, or where more of them have one that of the step before,
    and a sentence if so.

    Lightning counts the steps that are done, and its logger the index of the last one: 10 and 9.
    """
    exact = [dict(table.get(step, {})) for step in steps]
    before = [dict(table.get(step - 1, {})) for step in steps]
    if sum(map(bool, before)) <= sum(map(bool, exact)):
        return exact, ""
    return before, "the metrics are those of one step before each checkpoint, as its logger counts from 0"


def _text(path: Path) -> str:
    try:
        return read_text(path, LARGEST_TABLE, "utf-8-sig")  # spreadsheets put a byte order mark first
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file; give a CSV with a `step` column") from None


def _rows(text: str, path: Path) -> Iterator[Row]:
    start = text.lstrip()[:1]
    if start == "{" or (start == "[" and path.suffix == ".json"):
        yield from _json_rows(text, path)
    else:
        yield from _csv_rows(text, path)


def _csv_rows(text: str, path: Path) -> Iterator[Row]:
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        for row in reader:
            yield reader.line_num, {name: cell for name, cell in row.items() if name and cell not in (None, "")}
    except csv.Error:
        raise UsageError(f"{path} is not a text file; give a CSV with a `step` column") from None


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    """Rows of a Trainer's state, of a list, or one a line; a nested value is named by both names."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply for a table of metrics") from None
    if isinstance(whole, dict) and isinstance(whole.get("log_history"), list):
        whole = [row for row in whole["log_history"] if isinstance(row, dict) and SUMMARY not in row]
    if isinstance(whole, list):
        yield from ((line, _flat(row)) for line, row in enumerate(whole, 1) if isinstance(row, dict))
        return
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError):
            raise UsageError(f"{path}, line {line}: this is no JSON; each line must be one object") from None
        if isinstance(row, dict):
            yield line, _flat(row)


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """JSON's numbers by name; texts and lists beside them are dropped."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and not prefix:
            flat |= _flat(value, f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + name] = value
    return flat


def _counter(columns: Iterable[str], counts: str, path: Path) -> tuple[str, str]:
    """Return the column that tells the rows, and where that is an epoch that of the steps within it, else ""."""
    lower = {name.lower(): name for name in columns}
    step, epoch = (next((lower[name] for name in known if name in lower), "") for known in (STEPS, EPOCHS))
    if not step and not epoch:
        raise UsageError(f"{path} has no `step` column; its first line must name the columns")
    return (epoch, step) if epoch and (counts == "epoch" or not step) else (step, "")


def _text_columns(rows: Sequence[Row], names: Mapping[str, str]) -> list[str]:
    """Columns that have no number at all in them."""
    return [name for name in names if all(_number(row[name]) is None for _, row in rows if name in row)]


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def _step(row: Mapping[str, Any], counter: str, path: Path, line: int) -> int:
    number = _number(row.get(counter))
    if number is None or not math.isfinite(number) or number < 0 or number != int(number):
        raise UsageError(f"{path}, line {line}: {row.get(counter, '')!r} is not a step, which is a whole number")
    return int(number)


def _values(
    row: Mapping[str, Any], names: Mapping[str, str], texts: Sequence[str], path: Path, line: int
) -> dict[str, float]:
    values = {}
    for name, called in names.items():
        if name not in row or name in texts:
            continue
        number = _number(row[name])
        if number is None:
            raise UsageError(f"{path}, line {line}: {row[name]!r} in column {name} is not a number")
        values[called] = number
    return values


def _merge(metrics: Metrics, step: int, values: Mapping[str, float], path: Path, line: int) -> None:
    kept = metrics.setdefault(step, {})
    for name, value in values.items():
        known = kept.get(name, math.nan)
        if math.isnan(value):
            kept.setdefault(name, value)
        elif math.isnan(known) or known == value:
            kept[name] = value
        else:
            raise UsageError(
                f"{path}, line {line}: {name} of step {step} is {value:g} and was {known:g} in an earlier line; "
                "keep one of them"
            )
