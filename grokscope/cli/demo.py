"""`grokscope demo`: a small network that memorises and generalises late, trained, analysed and opened."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer

from grokscope.cli.common import echo, run_grokscope
from grokscope.errors import MissingPackage

TRAINING = (
    "--dataset", "digits", "--train-points", "200", "--batch-size", "50", "--width", "64", "--lr", "0.005",
    "--steps", "40000", "--engine", "torch", "--threads", "1",
)  # fmt: skip
"""Handwritten digits, which come with scikit-learn: nothing is downloaded, and nothing compiled."""


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the run file goes.", metavar="DIR")] = Path(
        "grokscope-demo"
    ),
    view: Annotated[bool, typer.Option("--view/--no-view", help="Open the app afterwards, in a terminal.")] = True,
) -> None:
    """Train a small network on embedded digits in half a minute, analyse it, report, and open the app.

    A run that is there from the last time is opened again, after it has gone on to its end. Training
    needs the extra `train`.
    """
    from grokscope.files import make_folder
    from grokscope.runfile import Run

    run = folder / "digits.h5"
    there = run.exists()
    if not there or not Run.open(run).complete:
        if importlib.util.find_spec("sklearn") is None:
            raise MissingPackage("the demo's digits come with scikit-learn", "train")
        make_folder(folder)
        run_grokscope("train", "-o", str(run), *TRAINING, *(("--resume",) if there else ()))
    run_grokscope("analyze", str(run))  # also where only that was stopped the last time
    run_grokscope("report", str(run))
    if view and sys.stdin.isatty() and sys.stdout.isatty():
        run_grokscope("view", str(run))
    else:
        echo(f"open it by: grokscope view {run}", err=True)
