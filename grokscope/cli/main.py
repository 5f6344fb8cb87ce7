"""The `grokscope` command: every command registered, every error turned into one line and an exit code."""

from __future__ import annotations

import os
import sys

import click
import typer

from grokscope.cli.analyze import analyze
from grokscope.cli.import_ import import_
from grokscope.cli.runs import check, export, info
from grokscope.cli.show import show
from grokscope.cli.train import train
from grokscope.cli.view import view
from grokscope.errors import GrokscopeError
from grokscope.version import __version__

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="grokscope",
    help="A terminal microscope for training runs: when did this network memorise, generalise or collapse?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(analyze)
app.command()(view)
app.command()(show)
app.command()(info)
app.command()(check)
app.command("import")(import_)
app.command()(export)


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
    os.environ["GROKSCOPE_DEBUG"] = "1" if debug else os.environ.get("GROKSCOPE_DEBUG", "")


def main() -> None:
    """Run the command line and exit with 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted."""
    try:
        result = app(standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: stop without a word
        sys.exit(FAILED)
    except GrokscopeError as error:
        _reraise_for_debug()
        _fail(str(error), WRONG_USAGE)
    except Exception as error:
        _reraise_for_debug()
        _fail(f"failed: {type(error).__name__}: {error}; `grokscope --debug …` shows where", FAILED)


def _reraise_for_debug() -> None:
    if os.environ.get("GROKSCOPE_DEBUG"):
        raise  # noqa: PLE0704  (called from an except block)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"grokscope: {' '.join(message.split())}\n")
    sys.exit(code)
