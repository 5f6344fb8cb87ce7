"""`grokscope view`: the terminal app, or one picture of it."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from grokscope.cli.common import echo, given_path
from grokscope.cli.opening import open_every, opens, without_their_spectra
from grokscope.errors import UsageError
from grokscope.names import pasted

Runs = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Run files, folders of checkpoints or models; several share one timeline. A folder of run files, and "
        "none (this folder), list their runs.",
        metavar="RUN.h5|FOLDER|MODEL…",
        show_default=False,
        callback=without_their_spectra,
        parser=given_path,
    ),
]
Screenshot = Annotated[
    Path | None,
    typer.Option(help="Write one picture of the app to this SVG file, without a terminal.", metavar="FILE.svg"),
]
Size = Annotated[str, typer.Option(help="The screenshot's width and height in characters.", metavar="WxH")]
Press = Annotated[str, typer.Option(help="Keys to press before the screenshot, e.g. 'g right 2'.", metavar="KEYS")]
Theme = Annotated[str, typer.Option(help="dark or light.", metavar="NAME")]
Analysis = Annotated[
    bool, typer.Option("--analysis/--no-analysis", help="Analyse what is missing, in the background.")
]


@opens()
def view(
    runs: Runs = None,
    screenshot: Screenshot = None,
    size: Size = "120x40",
    press: Press = "",
    theme: Theme = "dark",
    analysis: Analysis = True,
    **how: Any,
) -> None:
    """Scrub through a run with the keyboard: alpha, spectra, correlation traps and phases of every checkpoint."""
    if theme not in {"dark", "light"}:
        raise UsageError(f"--theme {theme} is neither dark nor light")
    gc.disable()  # what is loaded now stays; the app looks for garbage from its first frame on
    from grokscope.app.catalog import run_files
    from grokscope.trajectory.lineage import with_parent

    paths = runs or [Path()]
    folder = paths[0] if len(paths) == 1 and paths[0].is_dir() and run_files(paths[0]) else None
    opened = []
    if folder is not None and (given := next(filter(None, how.values()), None)):
        raise UsageError(f"{folder} holds run files, which are listed; {given} is for a folder of checkpoints")
    if folder is None:
        opened = with_parent(open_every(paths, **how))
    if screenshot is not None:
        columns, rows = parse_size(size)
        from grokscope.app.screenshot import take

        for note in take(opened, screenshot, columns, rows, press.split(), theme=theme, folder=folder):
            echo(note, err=True)
        echo(str(screenshot))
        return
    from grokscope.app.session import Session

    sessions = [Session.quick(run) for run in opened]
    _need_terminal(paths[0])
    for name in ("COLUMNS", "LINES"):  # exported, they would hide every resize of the terminal
        os.environ.pop(name, None)
    from grokscope.app.app import Microscope

    app = Microscope(sessions, folder=folder, theme=theme, analysis=analysis)
    lines = app.run()
    if lines:
        echo(lines)
    _leave(app.return_code or 0)


def _leave(code: int) -> NoReturn:
    """End the process at once: its threads only read, and one that is still at it holds HDF5's lock, on which the
    interpreter's own way out would wait for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


LARGEST = (1000, 500)
"""The most columns and rows: what is drawn in more would fill the memory."""


def parse_size(text: str) -> tuple[int, int]:
    """Read columns and rows such as 120x40."""
    columns, _, rows = text.lower().partition("x")
    numbers = [int(number) if number.isdecimal() else 0 for number in (columns, rows)]
    if not all(1 <= number <= most for number, most in zip(numbers, LARGEST, strict=True)):
        raise UsageError(f"--size {text} is no size; give columns x rows, such as 120x40")
    return numbers[0], numbers[1]


def _need_terminal(run: Path) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        problem = "standard input and output are not both a terminal"
    elif os.environ.get("TERM", "") in {"", "dumb", "unknown"}:
        problem = f"the terminal cannot move its cursor (TERM={os.environ.get('TERM', '')})"
    else:
        return
    raise UsageError(
        f"the viewer needs a terminal, and {problem}; `grokscope view {pasted(run)} --screenshot FILE.svg` "
        f"draws one picture, `grokscope show {pasted(run)}` prints the numbers"
    )
