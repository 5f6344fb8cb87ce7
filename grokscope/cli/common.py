"""What several commands share: their options' types and the progress bar."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.children import python_module
from grokscope.errors import UsageError
from grokscope.names import pasted, safe_name, safe_text
from grokscope.steps import parse_number

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from grokscope.analysis import Spectra


def given_path(text: str) -> Path:
    """Return the path that a text is; an unset variable leaves an empty one, which is not meant as this folder."""
    if not str(text):
        raise UsageError("a path is empty; say which, or . for this folder")
    return Path(text)


given_path.__name__ = "path"  # so that the help says which kind of word is meant

RunPath = Annotated[
    Path, typer.Argument(help="A run file.", metavar="RUN.h5", show_default=False, parser=given_path)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object with stable keys.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output file where it exists.")]
BAR_WIDTH = 20  # with all that stands beside it less than 80 columns, and room for an echoed ^C


def steps_of(option: str) -> Callable[[str], int]:
    """Return the parser of an option which is a number of steps: 500000, 500k, 2.2e5, 1M; whole numbers only."""

    def parse(text: str) -> int:
        number = parse_number(str(text))
        if number is None or number != int(number):
            raise UsageError(f"{option} is {text!r}; give a whole number such as 500000, 500k or 2.2e5")
        return int(number)

    return parse


def run_grokscope(*arguments: str) -> None:
    """Run a command of grokscope in a process of its own; its failure ends this one with its exit code.

    What would end this process is left to that one, which saves what it has: Ctrl-C in a terminal reaches both,
    SIGTERM and SIGHUP are passed on.
    """
    with subprocess.Popen(python_module("grokscope", *arguments)) as process:

        def leave(number: int, frame: object) -> None:
            if number != signal.SIGINT:
                process.send_signal(number)

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, leave) for number in numbers}
        try:
            code = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    if code:
        raise typer.Exit(code)


Step = Annotated[
    int | None,
    typer.Option(
        help="The last checkpoint up to this step (default: the last).", parser=steps_of("--step"), metavar="N"
    ),
]


class Bar:
    """A progress bar that is told (done, total), and shows itself when there is something to do."""

    def __init__(self, display: Progress, task: TaskID) -> None:
        """Wrap a task of a rich display that is not started yet."""
        self._display, self._task = display, task
        self._started = time.monotonic()

    def update(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total`."""
        if total:
            rate = done / max(time.monotonic() - self._started, 1e-9)
            self._display.update(self._task, completed=done, total=total, rate=f"{rate:,.1f}/s")
            self._display.start()


@contextlib.contextmanager
def progress(description: str, unit: str) -> Iterator[Bar]:
    """Show a bar with a count, a rate and the time left, in a terminal on stderr; stdout stays for the result."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    display = Progress(*columns, console=console, disable=not console.is_interactive)
    try:
        yield Bar(display, display.add_task(description, total=None, rate=""))
    finally:
        display.stop()


def echo(text: object, *, err: bool = False, colors: bool = False) -> None:
    """Print a text on stdout or a sentence on stderr, with nothing in it that could move the cursor, whatever file
    it came from.

    `colors` lets the sequences through that colour.
    """
    typer.echo(safe_name(str(text)) if err else safe_text(str(text), colors=colors), err=err)


def name_damaged(damaged: Mapping[int, str]) -> None:
    """Name the checkpoints that were left out because they are damaged, a sentence each, on stderr."""
    for sentence in damaged.values():
        echo(f"grokscope: {sentence}", err=True)


def name_unmeasured(spectra: Spectra) -> None:
    """Say on stderr how many sound checkpoints of a run are not measured, and what measures them."""
    run, unmeasured = spectra.run, ~spectra.done.all(axis=1)
    if missing := int(unmeasured.sum()) - len(spectra.damaged):
        count = f"{missing:,} of {run.num_checkpoints:,} checkpoints are not measured"
        echo(f"{run.name}: {count}; `grokscope analyze {pasted(run.path)}` measures them", err=True)


def note_if_moved(config: Mapping[str, Any]) -> None:
    """Say on stderr where a resumed run was last trained on another machine or by other versions."""
    from grokscope_train.environment import moved

    if difference := moved(config):
        echo(f"note: {difference}; the last bits may differ from an undisturbed run's", err=True)
