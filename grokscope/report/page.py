"""The paper from one command: its tables and figures of some runs, as Markdown, one HTML page, CSV and JSON."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grokscope.analysis.profile import profile_rows
from grokscope.figures import Figure
from grokscope.figures.plain import plain
from grokscope.files import make_folder, write_result
from grokscope.names import safe_lines, safe_name, safe_text
from grokscope.numbers import json_value
from grokscope.phases import PHASES
from grokscope.report.pictures import Source, figures_of
from grokscope.report.table import Table
from grokscope.report.tables import right_edges, tables
from grokscope.version import __version__

TITLE = "Grokking and generalisation collapse"
PAPER = '"Grokking and Generalization Collapse: Insights from HTSR theory", arXiv 2506.04434'


FIGURES_OVER_TIME = 7


@dataclass(frozen=True)
class Picture:
    """One figure of the report: its number, what it shows, and its panels."""

    number: int
    caption: str
    panels: tuple[Figure, ...]


@dataclass(frozen=True)
class Report:
    """Everything in a report."""

    sources: tuple[Source, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]


def report_of(sources: Sequence[Source]) -> Report:
    """Collect the tables and figures of runs, as far as they are analysed."""
    return Report(tuple(sources), tables(sources), tuple(_pictures(sources)))


def _pictures(sources: Sequence[Source]) -> Iterator[Picture]:
    """Seven figures: over time a panel for each experiment, its seeds as mean ± standard deviation.

    Of single models two each instead, for there is no time.
    """
    singles = [source for source in sources if source.timeline.single]
    for place, source in enumerate(singles):
        yield from _of_single(source, FIGURES_OVER_TIME + 1 + 2 * place)
    sources = [source for source in sources if not source.timeline.single]
    if sources:
        yield from _over_time(sources)


def _of_single(source: Source, number: int) -> Iterator[Picture]:
    """The layers over depth, and the spectra of the one that looks worst."""
    name = source.run.name
    yield Picture(number, f"α of each layer of {name} over depth.", figures_of("profile", [source]))
    worst = min(profile_rows(source.spectra), key=lambda row: int(row["worst"]))["layer"]
    spectra = (*_at(source, worst, 0, "esd"), *_at(source, worst, 0, "randomised"))
    yield Picture(
        number + 1,
        f"{worst} of {name}, the layer that looks worst: its spectrum and that of its shuffled entries.",
        spectra,
    )


def _over_time(sources: Sequence[Source]) -> Iterator[Picture]:
    first = sources[0]
    layer = first.layer(None)
    edges = right_edges(first)
    phase = "grokking" if "grokking" in edges else max(edges, key=edges.__getitem__, default="")
    at = edges.get(phase, first.run.num_checkpoints - 1)
    where = f"the right edge of {phase}" if phase else "the last checkpoint"
    one = f"{layer} of {first.run.name}"

    def over_time(*kinds: str) -> tuple[Figure, ...]:
        return tuple(figure for kind in kinds for figure in figures_of(kind, sources))

    words = "with the observed phases, of several runs where all agree"
    yield Picture(1, f"Train and test accuracy through training, {words}.", over_time("accuracy"))
    spectra = (*_at(first, layer, at, "esd"), *_at(first, layer, at, "randomised"))
    words = "its eigenvalues with the fitted power law, and its shuffled entries' with the Marchenko–Pastur law"
    yield Picture(2, f"{one} at {where}: {words}.", spectra)
    shuffled = tuple(
        f for phase in PHASES if phase in edges for f in _at(first, layer, edges[phase], "randomised")
    )
    words = "the shuffled entries' spectrum with traps, at the right edge of each phase"
    yield Picture(3, f"{one}: {words}.", shuffled)
    yield Picture(4, "The power-law exponent α of each layer through training.", over_time("alpha"))
    yield Picture(5, "Correlation traps of each layer through training.", over_time("traps"))
    yield Picture(6, "The shuffled entries: σ_mp and the calibrated KS p-value.", over_time("sigma_mp", "ks"))
    words = "l² norm, absolute weight entropy, activation sparsity and approximate local circuit complexity"
    yield Picture(7, f"The paper's other measures: {words}.", over_time("measures"))


def _at(source: Source, layer: str, index: int, kind: str) -> tuple[Figure, ...]:
    """A spectrum at a checkpoint; one that is not measured says so."""
    if not 0 <= index < len(source.spectra.done) or source.spectra.layer(index, layer) is None:
        return (replace(_empty(kind), reason="not analysed yet"),)
    return figures_of(kind, [source], step=int(source.run.steps[index]), layer=layer)


def _empty(kind: str) -> Figure:
    from grokscope.figures import Axis

    return Figure(kind, Axis(""), Axis(""))


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.html, report.md, report.json, a CSV a table and a picture a figure; returns their paths.

    The page needs nothing beside it: pictures are inside. Raises MissingPackage without matplotlib, StorageError
    where the disk refuses.
    """
    from grokscope.figures.paper import save

    make_folder(folder)
    written = []
    for picture in report.pictures:
        path = folder / f"figure-{picture.number}.svg"
        save(picture.panels, path)
        written.append(path)
    texts = {f"table-{table.number}.csv": _csv(table) for table in report.tables}
    texts |= {
        "report.md": markdown(report),
        "report.html": page(report, {p.number: folder / f"figure-{p.number}.svg" for p in report.pictures}),
        "report.json": json.dumps(as_json(report), indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_result(folder / name, text)
        written.append(folder / name)
    return written


def as_json(report: Report) -> dict[str, Any]:
    """Every number of a report, None where unknown."""
    return {
        "grokscope": __version__,
        "runs": [{"run": source.run.name, "uuid": source.uuid} for source in report.sources],
        "tables": [
            {"table": table.number, "title": table.title, "rows": [json_value(row) for row in table.rows],
             "notes": list(table.notes)}
            for table in report.tables
        ],
        "figures": [
            {"figure": picture.number, "caption": picture.caption, "panels": [plain(p) for p in picture.panels]}
            for picture in report.pictures
        ],
    }  # fmt: skip


def _csv(table: Table) -> str:
    """The plain rows; several values in one cell are parted by semicolons, unknown ones are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(dict.fromkeys(name for row in table.rows for name in row))
    writer.writerow(names)
    writer.writerows([_csv_cell(row.get(name)) for name in names] for row in table.rows)
    return text.getvalue()


def _csv_cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ";".join(map(_csv_cell, value))
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else safe_name(str(value))


def _about(report: Report) -> str:
    runs = ", ".join(source.run.name for source in report.sources)
    return (
        f"Tables and figures after {PAPER}, of {runs}, by grokscope {__version__}. Runs that record their "
        "configuration and differ in nothing but their seeds are taken together: mean ± standard deviation. The "
        "right edge of a phase is its last checkpoint."
    )


def markdown(report: Report) -> str:
    """The report as Markdown, beside its pictures."""
    lines = [f"# {TITLE}", "", _about(report)]
    for table in report.tables:
        lines += ["", f"## Table {table.number}: {table.title}", "", *_markdown_table(table)]
        lines += ["", *(f"- {note}" for note in table.notes)]
    for picture in report.pictures:
        name = f"figure-{picture.number}.svg"
        lines += ["", f"## Figure {picture.number}", "", f"![{picture.caption}]({name})", "", picture.caption]
    return safe_lines([*lines, ""])


def _markdown_table(table: Table) -> Iterator[str]:
    for cells in (table.header, ["---"] * len(table.header), *table.cells()):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1d242c; background: #fff; }
h1 { font-size: 1.8rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #dde1e4; white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.notes { font-size: .85rem; color: #56616e; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #56616e; }
"""


def page(report: Report, pictures: dict[int, Path]) -> str:
    """The report as one HTML page that asks for nothing from anywhere: style and pictures are inside."""
    escape = html.escape
    body = [f"<h1>{escape(TITLE)}</h1>", f"<p>{escape(_about(report))}</p>"]
    for table in report.tables:
        body += [f"<h2>Table {table.number}: {escape(table.title)}</h2>", *_html_table(table)]
    for picture in report.pictures:
        data = base64.b64encode(pictures[picture.number].read_bytes()).decode()
        body += [
            f"<h2>Figure {picture.number}</h2>",
            f'<figure><img alt="{escape(picture.caption)}" src="data:image/svg+xml;base64,{data}">',
            f"<figcaption>{escape(picture.caption)}</figcaption></figure>",
        ]
    head = f'<meta charset="utf-8"><title>{escape(TITLE)}</title><link rel="icon" href="data:,">'
    begin = f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>'
    return safe_text("\n".join([begin, *body, "</body></html>\n"]))


def _html_table(table: Table) -> Iterator[str]:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    yield f'<div class="wide"><table><thead>{row(table.header, "th")}</thead><tbody>'
    yield from (row(cells, "td") for cells in table.cells())
    yield "</tbody></table></div>"
    yield '<ul class="notes">' + "".join(f"<li>{html.escape(note)}</li>" for note in table.notes) + "</ul>"
