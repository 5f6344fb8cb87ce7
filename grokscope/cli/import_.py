"""`grokscope import`: anyone's checkpoints become a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from grokscope.cli.common import Overwrite, echo, given_path, name_damaged, progress
from grokscope.cli.opening import open_noted, opens
from grokscope.errors import FAILED, UsageError


@opens()
def import_(
    path: Annotated[
        Path,
        typer.Argument(help="A folder of checkpoints, or a model.", metavar="FOLDER|MODEL", parser=given_path),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.", metavar="RUN.h5")],
    activation: Annotated[
        str | None,
        typer.Option(help="What its units compute, e.g. relu; gates can then be told.", metavar="NAME"),
    ] = None,
    input_range: Annotated[
        str | None,
        typer.Option(
            help="Darkest and brightest value of its inputs, e.g. 0,1 or -0.42,2.82.", metavar="LOW,HIGH"
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="What it was trained with, e.g. mse; strain and capacity then mean something.", metavar="NAME"
        ),
    ] = None,
    overwrite: Overwrite = False,
    **how: Any,
) -> None:
    """Make a run file of a folder of checkpoints, of a file with many of them, or of a single model.

    No import is needed to look at them: every command that reads runs takes them as they are, but for branch,
    check, compact and train --resume. The step is found inside the files, else in their names, and is told.
    No code of a pickled file is run. Whether a network of ReLUs has collapsed can be told where its activation
    and the range of its inputs are said. Damaged checkpoints are named and left out, exit code 1.
    """
    from grokscope.trajectory import Checkpoints
    from grokscope.trajectory.importing import write_run

    said = {
        "activation": activation and activation.lower(),
        "input_range": _range(input_range),
        "loss": loss and loss.lower(),
    }
    config = {name: value for name, value in said.items() if value is not None}
    opened = open_noted(path, **how)
    if not isinstance(opened, Checkpoints):
        raise UsageError(f"{path} is a run file already; copy it")
    with progress("importing", unit="checkpoints") as bar:
        damaged = write_run(opened, output, config=config, overwrite=overwrite, on_checkpoint=bar.update)
    echo(f"{output}")
    name_damaged(damaged)
    if damaged:
        raise typer.Exit(FAILED)


def _range(text: str | None) -> list[float] | None:
    """Return the two numbers of --input-range."""
    if text is None:
        return None
    from grokscope.analysis.gates import input_range

    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if input_range({"input_range": [low, high]}) is None:
        raise UsageError(f"--input-range is {text!r}; give the darkest and the brightest value, such as 0,1")
    return [low, high]
