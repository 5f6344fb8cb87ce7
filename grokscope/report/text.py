"""Reports as text: a table of events for each experiment, mean ± standard deviation, and the confusion table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from grokscope.experiments import differences, experiments
from grokscope.names import safe_lines
from grokscope.numbers import mean_text
from grokscope.phases import NO_PHASE, PHASES
from grokscope.report.events import EVENTS, GATE_MEASURES, LAYER_MEASURES, RunReport
from grokscope.report.p_values import p_words
from grokscope.report.table import Table
from grokscope.spectra.null import ALPHA_DRAWS

BOUNDS = ("_low", "_high")
MEASURED = {*LAYER_MEASURES, *GATE_MEASURES}
Column = tuple[str, ...]
LABELS = (*PHASES, "undecided", "unknown")


def report_text(reports: Sequence[RunReport]) -> str:
    """Lay out the reports of one run or of several; those of one experiment are averaged, others stand apart."""
    lines = [*_phases(reports)]
    groups = experiments([report for report in reports if not report.single])
    for group, words in zip(groups, differences(groups), strict=True):
        lines += ["", *_heading(group, words, several=len(groups) > 1), *_events(group)]
    return safe_lines([*lines, "", *_confusion(reports)])


def table_text(table: Table, width: float) -> str:
    """Lay out a table with its title and its notes; a number is never broken, so that lines may be longer."""
    columns = list(zip(table.header, *table.cells(), strict=True))
    rows = list(zip(*_fitting(columns, width), strict=True))
    lines = aligned(rows, left=(0,) if rows[0][0] == "phase" else (0, 1))
    notes = (line for note in table.notes for line in ([note] if math.isinf(width) else wrap(note, int(width))))
    return safe_lines(["", f"Table {table.number}: {table.title}", "", *lines, "", *notes])


def _fitting(columns: list[Column], width: float) -> list[Column]:
    """Leave out what there is no room for: an experiment that all rows share, then what was published."""
    apart = [column for column in columns if column[0] != "experiment" or len(set(column[1:])) > 1]
    measured = [column for column in apart if column[0] != "published"]
    for some in (columns, apart):
        if max(map(len, aligned(list(zip(*some, strict=True))))) <= width:
            return some
    return measured


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> Iterator[str]:
    """Align cells in columns: those of the places in `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _phases(reports: Sequence[RunReport]) -> Iterator[str]:
    for report in reports:
        yield f"{report.name}  {report.uuid}"
        if report.branch:
            yield f"  {report.branch}"
        yield from (_phase(report, *phase) for phase in report.phases)
        yield from caveat_lines(report.caveats)


def _phase(report: RunReport, label: str, first: int, last: int) -> str:
    if report.single:
        return f"  {label:<13} step {first:,}: one checkpoint has no history"
    why = f": {NO_PHASE}" if label == "undecided" else ""
    return f"  {label:<13} steps {first:,} to {last:,}{why}"


def caveat_lines(caveats: Mapping[str, Any]) -> Iterator[str]:
    """What is left out, with its reason, and which steps are equal, a line each."""
    for out in caveats.get("left_out", ()):
        yield f"  left out: {out['name']} ({out['reason']})"
    for steps in caveats.get("duplicates", ()):
        yield f"  the same weights at steps {' and '.join(f'{step:,}' for step in steps)}"


def _heading(group: Sequence[RunReport], differs_in: str, *, several: bool) -> Iterator[str]:
    names = ", ".join(report.name for report in group)
    if len(group) > 1:
        yield f"mean ± standard deviation over {len(group)} runs: {names}"
    elif several:
        yield names
    if differs_in:
        yield differs_in


def _events(group: Sequence[RunReport]) -> Iterator[str]:
    happened = [event for event in EVENTS if any(event in report.events for report in group)]
    names = list(dict.fromkeys(name for report in group for row in report.events.values() for name in row))
    if not any(report.measured for report in group):
        names = [name for name in names if name.rpartition(" ")[2] not in MEASURED]
    names = [name for name in names if not name.endswith(BOUNDS)]
    rows = [["", *happened], *([name, *(_cell(name, group, event) for event in happened)] for name in names)]
    if len(group) > 1:
        rows.append(["runs", *(str(sum(event in report.events for report in group)) for event in happened)])
    yield from aligned(rows)


def _cell(name: str, group: Sequence[RunReport], event: str) -> str:
    """Format a measure at an event, with the number of runs that have it where not all that got there do."""
    measured = [report.events[event].get(name, math.nan) for report in group if event in report.events]
    values = [value for value in measured if math.isfinite(value)]
    text = mean_text(values, whole=name == "step")
    draws = min(report.null_draws.get(name.rpartition(" ")[0], 0) for report in group)
    if values and name.endswith(" ks_p"):
        text = p_words(values, draws)
    elif values and name.endswith(" alpha_p"):
        text = p_words(values, min(draws, ALPHA_DRAWS))
    elif values and name.endswith(" alpha"):
        text += _interval(name, group, event)
    return text if len(values) in (0, len(measured)) else f"{text} (n {len(values)})"


def _interval(name: str, group: Sequence[RunReport], event: str) -> str:
    """The interval that a measure is known within at an event: the widest of the runs."""
    rows = [report.events[event] for report in group if event in report.events]
    lows, highs = ([row[name + bound] for row in rows if math.isfinite(row.get(name + bound, math.nan))]
                   for bound in BOUNDS)  # fmt: skip
    return f" [{min(lows):.1f}, {max(highs):.1f}]" if lows and highs else ""


def _confusion(reports: Sequence[RunReport]) -> Iterator[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for report in reports:
        if not report.single:
            counts.update(report.confusion)
    of_all = " of all runs" if len(reports) > 1 else ""
    title = f"checkpoints{of_all} by observed phase (rows) and by what the weights say (columns)"
    yield from confusion_lines(counts, title)


def confusion_lines(counts: Mapping[tuple[str, str], int], title: str) -> Iterator[str]:
    """Lay out (observed, said) → checkpoints as a table under its title; nothing where there is none."""
    if not counts:
        return
    observed = [label for label in LABELS if any(pair[0] == label for pair in counts)]
    said = [label for label in LABELS if any(pair[1] == label for pair in counts)]
    yield title
    rows = ([row, *(str(counts.get((row, column), 0)) for column in said)] for row in observed)
    yield from aligned([["", *said], *rows])
