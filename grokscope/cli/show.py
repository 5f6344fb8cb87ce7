"""`grokscope show`: everything about one checkpoint, without a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from grokscope.cli.common import AsJson, RunPath


def show(
    run: RunPath,
    step: Annotated[
        int | None, typer.Option(help="Show the last checkpoint up to this step.  [default: the last]")
    ] = None,
    as_json: AsJson = False,
    without_trap: Annotated[
        int | None,
        typer.Option(
            min=1, help="Show each layer's N-th strongest direction removed, with its accuracy.", metavar="N"
        ),
    ] = None,
) -> None:
    """Show one checkpoint: metrics, phase, and every layer's spectrum, measured now where it is not yet."""
    import json

    from grokscope.analysis.checkpoint import checkpoint_at, describe_checkpoint
    from grokscope.cli.tables import checkpoint_text
    from grokscope.runfile import Run

    opened = Run(run)
    described = describe_checkpoint(opened, checkpoint_at(opened, step))
    typer.echo(json.dumps(described, indent=2, allow_nan=False) if as_json else checkpoint_text(described))
