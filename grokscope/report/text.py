"""Reports as text: one table of events, mean ± standard deviation over the runs, and the confusion table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from grokscope.phases import PHASES
from grokscope.report.events import EVENTS, RunReport

LABELS = (*PHASES, "undecided", "unknown")


def report_text(reports: Sequence[RunReport]) -> str:
    """Lay out the reports of one run or of several runs of the same experiment."""
    return "\n".join([*_phases(reports), "", *_events(reports), "", *_confusion(reports)])


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align cells in columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()


def _phases(reports: Sequence[RunReport]) -> Iterator[str]:
    for report in reports:
        yield f"{report.name}  {report.uuid}"
        yield from (f"  {label:<13} steps {first:,} to {last:,}" for label, first, last in report.phases)


def _events(reports: Sequence[RunReport]) -> Iterator[str]:
    happened = [event for event in EVENTS if any(event in report.events for report in reports)]
    names = list(next(iter(reports[0].events.values()), {}))
    rows = [["", *happened]]
    for name in names:
        rows.append(
            [name, *(_cell(name, [r.events[event] for r in reports if event in r.events]) for event in happened)]
        )
    if len(reports) > 1:
        yield f"mean ± standard deviation over {len(reports)} runs"
        rows.append(["runs", *(str(sum(event in report.events for report in reports)) for event in happened)])
    yield from aligned(rows)


def _cell(name: str, measured: Sequence[dict[str, float]]) -> str:
    values = np.array([row.get(name, math.nan) for row in measured])
    values = values[np.isfinite(values)]
    if not len(values):
        return "–"
    form = ",.0f" if name == "step" else ".4g"
    mean = format(float(values.mean()), form)
    return mean if len(values) == 1 else f"{mean} ± {format(float(values.std(ddof=1)), '.2g')}"


def _confusion(reports: Sequence[RunReport]) -> Iterator[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for report in reports:
        counts.update(report.confusion)
    if not counts:
        yield "no checkpoint is measured yet: `grokscope analyze` first, to see what the weights say"
        return
    observed = [label for label in LABELS if any(pair[0] == label for pair in counts)]
    inferred = [label for label in LABELS if any(pair[1] == label for pair in counts)]
    yield "checkpoints by observed phase (rows) and by what the weights say (columns)"
    yield from aligned(
        [["", *inferred], *([row, *(str(counts[row, column]) for column in inferred)] for row in observed)]
    )
