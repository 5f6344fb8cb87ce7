"""How every command opens what it is given, and the options that say what the files do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokscope.cli.common import echo

if TYPE_CHECKING:
    from grokscope.trajectory import Trajectory

AnyPath = Annotated[
    Path,
    typer.Argument(
        help="A run file, a folder of checkpoints, or a model.", metavar="RUN.h5|FOLDER|MODEL", show_default=False
    ),
]


def without_their_spectra(paths: list[Path] | None) -> list[Path]:
    """Return the paths but for the spectra files of the others, which the shell finds by `*.h5` as well."""
    from grokscope.analysis.spectra_layout import beside

    spectra = {beside(path) for path in paths or ()}
    return [path for path in paths or () if path not in spectra]


AnyPaths = Annotated[
    list[Path],
    typer.Argument(
        help="Run files, folders of checkpoints, or models.", metavar="RUN.h5|…", show_default=False,
        callback=without_their_spectra,
    ),
]  # fmt: skip
StepRegex = Annotated[
    str | None, typer.Option(help="Its first group finds the step in a checkpoint's name.", metavar="REGEX")
]
StepsFrom = Annotated[
    Path | None, typer.Option(help="A file of lines `name,step`, one a checkpoint.", metavar="FILE")
]
Match = Annotated[
    str | None, typer.Option(help="Only checkpoints of such names, e.g. '*ema*'.", metavar="PATTERN")
]
Network = Annotated[
    str, typer.Option(help="Which of several networks in a file, e.g. its average: ema.", metavar="NAME")
]
Metrics = Annotated[
    Path | None, typer.Option("--metrics", help="A table of metrics with a column of steps.", metavar="FILE")
]


def open_noted(
    path: Path,
    step_regex: str | None = None,
    steps_from: Path | None = None,
    match: str | None = None,
    network: str = "",
    metrics: Path | None = None,
) -> Trajectory:
    """Open what lies at a path, and say on stderr which steps its checkpoints were given and what was left out."""
    from grokscope.trajectory import Checkpoints, Opening, open_trajectory

    trajectory = open_trajectory(path, Opening(step_regex, steps_from, match, network, metrics))
    if isinstance(trajectory, Checkpoints):
        for note in trajectory.notes:
            echo(note, err=True)
        if trajectory.left_out:
            echo(f"{len(trajectory.left_out)} left out; `grokscope info {path}` lists them", err=True)
    return trajectory


def open_every(
    paths: Sequence[Path],
    step_regex: str | None,
    steps_from: Path | None,
    match: str | None,
    network: str,
    metrics: Path | None = None,
) -> list[Trajectory]:
    """Open what lies at each path; UsageError where one table of metrics is given for several."""
    from grokscope.errors import UsageError

    if metrics is not None and len(paths) > 1:
        raise UsageError(
            f"--metrics {metrics} is of one run, and {len(paths)} are given; import each with its own"
        )
    return [open_noted(path, step_regex, steps_from, match, network, metrics) for path in paths]
