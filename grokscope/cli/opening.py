"""How every command opens what it is given, and the options that say what the files do not."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import echo, given_path
from grokscope.names import pasted

if TYPE_CHECKING:
    from grokscope.trajectory import Trajectory

AnyPath = Annotated[
    Path,
    typer.Argument(
        help="A run file, a folder of checkpoints, or a model.",
        metavar="RUN.h5|FOLDER|MODEL",
        show_default=False,
        parser=given_path,
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
        callback=without_their_spectra, parser=given_path,
    ),
]  # fmt: skip
PANEL = "Checkpoints that another program wrote"
OPTIONS: tuple[tuple[str, Any, Any, str, str], ...] = (
    ("step_regex", str | None, None, "REGEX", "Its first group finds the step in a checkpoint's name."),
    ("steps_from", Path | None, None, "FILE", "A file of lines `name,step`, one a checkpoint."),
    ("match", str | None, None, "PATTERN", "Only checkpoints of such names, e.g. '*ema*'."),
    ("network", str, "", "NAME", "Which of several networks in a file, e.g. its average: ema."),
    ("metrics", Path | None, None, "FILE", "A table of metrics with a column of steps."),
)
"""What can be told that the files do not say: argument, type, default, what it takes, and in words."""


def opens(*, metrics: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of how to open what it is given; it takes them as `**how`, for `open_noted`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **options: Any) -> None:
            command(*args, **options)

        own = inspect.signature(command, eval_str=True)
        named = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        more = [_parameter(*option) for option in OPTIONS if metrics or option[0] != "metrics"]
        run.__signature__ = own.replace(parameters=[*named, *more])  # type: ignore[attr-defined]
        return run

    return decorate


def _parameter(name: str, kind: Any, default: Any, metavar: str, words: str) -> inspect.Parameter:
    said = typer.Option("--" + name.replace("_", "-"), help=words, metavar=metavar, rich_help_panel=PANEL)
    only = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, only, default=default, annotation=Annotated[kind, said])


def open_noted(path: Path, **how: Any) -> Trajectory:
    """Open what lies at a path, and say on stderr which steps its checkpoints were given and what was left out."""
    from grokscope.runfile import Run
    from grokscope.trajectory import Opening, open_trajectory

    trajectory = open_trajectory(path, Opening(**how))
    if not isinstance(trajectory, Run):
        for note in trajectory.notes:
            echo(note, err=True)
        if trajectory.left_out:
            echo(f"{len(trajectory.left_out)} left out; `grokscope info {pasted(path)}` lists them", err=True)
    return trajectory


def open_every(paths: Sequence[Path], **how: Any) -> list[Trajectory]:
    """Open what lies at each path; UsageError where one table of metrics is given for several."""
    from grokscope.errors import UsageError

    if how.get("metrics") is not None and len(paths) > 1:
        raise UsageError(
            f"--metrics {how['metrics']} is of one run, and {len(paths)} are given; import each with its own"
        )
    return [open_noted(path, **how) for path in paths]
