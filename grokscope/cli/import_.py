"""`grokscope import`: a folder of checkpoints becomes a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grokscope.cli.common import Overwrite, progress


def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of .safetensors, .pt or .pth files.", metavar="DIR")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.", metavar="RUN.h5")],
    metrics: Annotated[
        Path | None, typer.Option(help="A CSV of metrics with a `step` column.", metavar="FILE.csv")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a folder of checkpoints; the step is the last number in each file's name.

    PyTorch files are loaded with `weights_only=True`, never otherwise. A metrics.csv in the folder is found.
    """
    from grokscope.importers import import_folder

    with progress("importing", unit="checkpoints") as bar:
        import_folder(folder, output, metrics=metrics, overwrite=overwrite, on_checkpoint=bar.update)
    typer.echo(f"{output}")
