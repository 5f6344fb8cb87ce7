"""`grokscope import`: anyone's checkpoints become a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grokscope.cli.common import Overwrite, echo, progress
from grokscope.cli.opening import Match, Metrics, Network, StepRegex, StepsFrom, open_noted
from grokscope.errors import UsageError


def import_(
    path: Annotated[Path, typer.Argument(help="A folder of checkpoints, or a model.", metavar="FOLDER|MODEL")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.", metavar="RUN.h5")],
    step_regex: StepRegex = None,
    steps_from: StepsFrom = None,
    match: Match = None,
    network: Network = "",
    metrics: Metrics = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a run file of a folder of checkpoints, of a file with many of them, or of a single model.

    No import is needed to look at them: view, analyze, show, report, info and export take them as they are. The
    step is found inside the files, else in their names, and is told. No code of a pickled file is run.
    """
    from grokscope.trajectory import Checkpoints
    from grokscope.trajectory.importing import write_run

    opened = open_noted(path, step_regex, steps_from, match, network, metrics)
    if not isinstance(opened, Checkpoints):
        raise UsageError(f"{path} is a run file already; copy it")
    with progress("importing", unit="checkpoints") as bar:
        write_run(opened, output, overwrite=overwrite, on_checkpoint=bar.update)
    echo(f"{output}")
