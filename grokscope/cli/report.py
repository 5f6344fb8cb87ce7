"""`grokscope report`: a run's phases and its measures at each event; several seeds give mean ± sd."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grokscope.cli.common import AsJson
from grokscope.cli.opening import Match, Network, StepRegex, StepsFrom, open_noted

Runs = Annotated[
    list[Path],
    typer.Argument(help="Run files, folders of checkpoints, or models.", metavar="RUN.h5|FOLDER|MODEL…"),
]


def report(
    runs: Runs,
    as_json: AsJson = False,
    step_regex: StepRegex = None,
    steps_from: StepsFrom = None,
    match: Match = None,
    network: Network = "",
) -> None:
    """Print when a run memorised, generalised and collapsed, and what its layers measured then.

    Runs that differ in nothing but their seeds are averaged: mean ± standard deviation, as in the paper's tables.
    Other runs stand one after another. Only what `grokscope analyze` has measured is shown.
    """
    import json

    from grokscope.analysis import Spectra
    from grokscope.analysis.checkpoint import plain
    from grokscope.report import refuse_twice, report_text, run_report

    opened = [open_noted(path, step_regex, steps_from, match, network) for path in runs]
    reports = [run_report(run, Spectra(run)) for run in opened]
    refuse_twice(reports)
    if not as_json:
        typer.echo(report_text(reports))
        return
    described = [
        {
            "run": report.name,
            "uuid": report.uuid,
            "phases": [{"label": label, "first": first, "last": last} for label, first, last in report.phases],
            "events": {
                event: {name: plain(value) for name, value in row.items()} for event, row in report.events.items()
            },
            "confusion": [
                {"observed": observed, "inferred": inferred, "checkpoints": count}
                for (observed, inferred), count in sorted(report.confusion.items())
            ],
        }
        for report in reports
    ]
    typer.echo(json.dumps(described, indent=2, allow_nan=False))
