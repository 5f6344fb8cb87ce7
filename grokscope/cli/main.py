"""The `grokscope` command: every command registered, every error turned into one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import inspect
import io
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from grokscope.cli.analyze import analyze
from grokscope.cli.branch import branch
from grokscope.cli.demo import demo
from grokscope.cli.evaluate import evaluate
from grokscope.cli.import_ import import_
from grokscope.cli.plot import plot
from grokscope.cli.report import report
from grokscope.cli.runs import check, compact, export, info
from grokscope.cli.show import show
from grokscope.cli.train import train
from grokscope.cli.verify import verify
from grokscope.cli.view import view
from grokscope.errors import FAILED, INTERRUPTED, WRONG_USAGE, GrokscopeError
from grokscope.names import safe_name
from grokscope.version import __version__

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
DEBUG_VARIABLE = "GROKSCOPE_DEBUG"


class Commands(TyperGroup):
    """The commands, with one place that decides what an exception means to the user."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a mistake exits with 2, a failure with 1, an interruption with 130, each in one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _exit("interrupted", INTERRUPTED) from None
        except GrokscopeError as error:
            if os.environ.get(DEBUG_VARIABLE):
                raise
            raise _exit(str(error), WRONG_USAGE) from None
        except Exception as error:
            of_typer = hasattr(error, "exit_code") or isinstance(error, (typer.Abort, BrokenPipeError))
            if of_typer or os.environ.get(DEBUG_VARIABLE):
                raise
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                what = error.filename or "the output"
                raise _exit(f"no room for {what}: {error.strerror}; write it elsewhere", FAILED) from None
            where = "`grokscope --debug …` shows where"
            raise _exit(f"failed: {type(error).__name__}: {error}; {where}", FAILED) from None


def _exit(message: str, code: int) -> typer.Exit:
    with contextlib.suppress(OSError, ValueError):  # a full or closed stderr: the exit code says it
        sys.stderr.write(f"grokscope: {safe_name(' '.join(message.split()))}\n")
    return typer.Exit(code)


app = typer.Typer(
    name="grokscope",
    cls=Commands,
    help="A terminal microscope for training runs: when did this network memorise, generalise or collapse?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train, branch, analyze, view, show, plot, report, evaluate, verify, info, check, import_, export, compact,
    demo,
):  # fmt: skip
    # a help text is wrapped by the terminal's width alone, not where a line ends here in the source
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    app.command(command.__name__.rstrip("_"), help=text)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"grokscope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version."
    ),
) -> None:
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> None:
    """Run the command line: 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted.

    Of a command that is named at once the others are left out: making the options of all takes longer than most.
    """
    _prepare_streams()
    every = app.registered_commands
    app.registered_commands = [one for one in every if one.name in sys.argv[1:2]] or every
    try:
        app()
    finally:
        app.registered_commands = every


def _prepare_streams() -> None:
    """Let a closed stream swallow what goes to it, and an encoding replace what it lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - lives as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
