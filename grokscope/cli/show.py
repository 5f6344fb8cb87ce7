"""`grokscope show`: everything about one checkpoint, without a terminal."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from grokscope.cli.common import AsJson, Step, echo, progress
from grokscope.cli.opening import AnyPath, open_noted, opens
from grokscope.errors import UsageError

WHAT_IF = "What if (accuracy measured anew on the run's own data)"


class Order(enum.StrEnum):
    """How the layers stand."""

    depth = "depth"
    worst = "worst"


@opens()
def show(
    run: AnyPath,
    step: Step = None,
    exact: Annotated[bool, typer.Option("--exact", help="Refuse where --step is no checkpoint.")] = False,
    as_json: AsJson = False,
    without_trap: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Also evaluate the network with each layer's trap N removed.",
            metavar="N",
            rich_help_panel=WHAT_IF,
        ),
    ] = None,
    open_gates: Annotated[
        bool,
        typer.Option(
            "--open-gates",
            help="… with fc1's biases set so that each unit fires on 30 % of the training images.",
            rich_help_panel=WHAT_IF,
        ),
    ] = False,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="… with a readout of each hidden layer fitted anew to the training images; and, as a control, "
            "one of the first checkpoint's fc1.",
            rich_help_panel=WHAT_IF,
        ),
    ] = False,
    average: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="… with the mean of the weights of this checkpoint and those before it, so many in all.",
            metavar="LAST",
            rich_help_panel=WHAT_IF,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where these find the run's dataset.", metavar="DIR", rich_help_panel=WHAT_IF),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Also draw a layer's spectrum and its shuffled one.")
    ] = False,
    layer: Annotated[str | None, typer.Option(help="The layer that --plot draws.", metavar="NAME")] = None,
    order: Annotated[
        Order | None, typer.Option(help="The layers by depth, or those that look worst first (of a single model).")
    ] = None,
    **how: Any,
) -> None:
    """Show one checkpoint: metrics, phase, and every layer's spectrum, measured now where it is not yet.

    In the JSON, `checkpoint` counts from 0, as the rows of a run file do; the text counts from 1.
    """
    import json

    from grokscope.analysis import Spectra
    from grokscope.analysis.checkpoint import checkpoint_at, describe_checkpoint
    from grokscope.cli.ablation import Asked, described_interventions
    from grokscope.cli.tables import checkpoint_text

    opened = open_noted(run, **how)
    index = checkpoint_at(opened, step)
    _say_which(step, int(opened.steps[index]), exact)
    with progress("measuring", unit="layers") as bar:
        described = describe_checkpoint(opened, index, bar.update)
    asked = Asked(without_trap, open_gates, refit, average)
    described |= described_interventions(Spectra(opened), index, asked, data_dir)
    worst_first = described["single"] if order is None else order == Order.worst
    text = json.dumps(described, indent=2, allow_nan=False) if as_json else checkpoint_text(described, worst_first)
    echo(text)
    if plot and not as_json:
        from grokscope.cli.plot import as_text
        from grokscope.report.pictures import Source, figures_of

        sources = [Source.of(opened)]
        for kind in ("esd", "randomised"):
            echo("\n" + as_text(figures_of(kind, sources, step=step, layer=layer)), colors=True)


def _say_which(asked: int | None, shown: int, exact: bool) -> None:
    """Say on stderr where another checkpoint is shown than was asked for, or refuse it."""
    if asked is None or asked == shown:
        return
    if exact:
        raise UsageError(f"there is no checkpoint at step {asked:,}; the last one before it is at {shown:,}")
    echo(f"no checkpoint at step {asked:,}; this is the last one before it, at {shown:,}", err=True)
