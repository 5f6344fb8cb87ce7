"""`grokscope evaluate`: how well the weights tell the collapse, and who else does."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from grokscope.cli.common import AsJson, echo, name_damaged, name_unmeasured
from grokscope.cli.opening import AnyPaths, open_every, opens
from grokscope.errors import UsageError

PHASES = "What counts as observed (accuracies are fractions of 1)"


@opens()
def evaluate(
    runs: AnyPaths,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Score a metric or a measure as well: train_loss, 'fc1 stable_rank', stable_rank (of every "
            "layer); with a leading - where low values tell of a collapse.",
            metavar="NAME",
        ),
    ] = None,
    memorised: Annotated[
        float, typer.Option(help="Training accuracy at which the training set is learned.", rich_help_panel=PHASES)
    ] = 0.99,
    rise: Annotated[
        float, typer.Option(help="Rise of test accuracy with which generalisation begins.", rich_help_panel=PHASES)
    ] = 0.1,
    gap: Annotated[
        float,
        typer.Option(help="A smaller gap of train and test when memorised is no delay.", rich_help_panel=PHASES),
    ] = 0.2,
    fall: Annotated[
        float, typer.Option(help="Fall below the peak that is a collapse.", rich_help_panel=PHASES)
    ] = 0.05,
    confirm: Annotated[
        int, typer.Option(help="Checkpoints that a fall has to last.", min=1, rich_help_panel=PHASES)
    ] = 2,
    bootstrap: Annotated[int, typer.Option(help="Resamples of the runs.", min=100, metavar="N")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.", min=0)] = 0,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of comma-separated values.")] = False,
    **how: Any,
) -> None:
    """Score detectors of the collapse against what the accuracies of these runs say.

    Each detector gives every checkpoint a number: AUROC is the chance that a collapsed checkpoint has a higher one
    than a grokking one, over all pairs and over pairs at the same step, with an interval over runs. Beside it
    stand its false alarms and how long before the fall it warned. Runs are cut where training accuracy falls, once
    it has counted as memorised.
    """
    import csv
    import json
    import sys

    from grokscope.experiments import refuse_twice
    from grokscope.phases import Thresholds
    from grokscope.report.evaluate import evaluate as score
    from grokscope.report.evaluate import read_run
    from grokscope.report.evaluation_text import evaluation_plain, evaluation_rows, evaluation_text
    from grokscope.report.pictures import Source

    if as_json and as_csv:
        raise UsageError("--json and --csv are two ways to print the same; give one")
    limits = Thresholds(memorised, rise, gap, fall, confirm)
    sources = [Source.of(run) for run in open_every(runs, **how)]
    refuse_twice(sources)
    for source in sources:
        name_damaged(source.damaged)
    scored = [read_run(source.spectra, column or (), limits) for source in sources]
    for source in sources:
        name_unmeasured(source.spectra)
    scores = score(scored, bootstrap, seed)
    if as_json:
        echo(json.dumps(evaluation_plain(scored, scores, limits), indent=2, allow_nan=False))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(evaluation_rows(scores))
    else:
        echo(evaluation_text(scored, scores))
