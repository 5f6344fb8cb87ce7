"""`grokscope report`: a run's phases and its measures at each event; several seeds give mean ± sd."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import AsJson, echo, name_damaged, name_unmeasured
from grokscope.cli.opening import AnyPaths, open_every, opens

if TYPE_CHECKING:
    from grokscope.report.pictures import Source

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the paper's tables and figures there: HTML, Markdown, CSV, JSON.",
        metavar="DIR",
    ),
]


@opens()
def report(
    runs: AnyPaths,
    output: Output = None,
    as_json: AsJson = False,
    **how: Any,
) -> None:
    """Print when a run memorised, generalised and collapsed, and what its layers measured then.

    Runs that record their configuration and differ in nothing but their seeds are averaged: mean ± standard
    deviation, as in the paper's tables; their p-values are combined by Fisher's method. Other runs stand one after
    another. Only what `grokscope analyze` has measured is shown.
    """
    import json

    from grokscope.analysis.profile import profile_rows
    from grokscope.numbers import json_value
    from grokscope.report import refuse_twice, report_text, run_report
    from grokscope.report.pictures import Source

    if output is not None:
        _refuse_no_folder(output)
    sources = [Source.of(run) for run in open_every(runs, **how)]
    for source in sources:
        name_damaged(source.damaged)
        name_unmeasured(source.spectra)
    reports = [run_report(source.run, source.spectra) for source in sources]
    refuse_twice(reports)
    if output is not None:
        _write(sources, output)
        return
    if not as_json:
        echo(report_text(reports))
        _print_tables(sources)
        return
    described = [
        {
            "run": report.name,
            "uuid": report.uuid,
            "branch": report.branch or None,
            "phases": [{"label": label, "first": first, "last": last} for label, first, last in report.phases],
            "events": json_value(report.events),
            "single": report.single,
            **report.caveats,
            "layers": list(profile_rows(source.spectra)) if report.single else None,
            "confusion": [
                {"observed": observed, "inferred": inferred, "checkpoints": count}
                for (observed, inferred), count in sorted(report.confusion.items())
            ],
        }
        for report, source in zip(reports, sources, strict=True)
    ]
    echo(json.dumps(described, indent=2, allow_nan=False))


def _refuse_no_folder(output: Path) -> None:
    from grokscope.errors import UsageError
    from grokscope.files import kind_of

    if (kind := kind_of(output)) not in ("a folder", "nothing"):
        raise UsageError(f"{output} is {kind}; -o takes the folder that the report is written to")


def _write(sources: Sequence[Source], folder: Path) -> None:
    """Write the report's files, and say where the page is."""
    from grokscope.report.page import report_of, write_report

    write_report(report_of(sources), folder)
    echo(str(folder / "report.html"))


def _print_tables(sources: Sequence[Source]) -> None:
    """The paper's tables; as wide as they are where there is no terminal to fit."""
    import math
    import shutil
    import sys

    from grokscope.report.tables import tables
    from grokscope.report.text import table_text

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    for table in tables(sources):
        if table.rows:
            echo(table_text(table, width))
