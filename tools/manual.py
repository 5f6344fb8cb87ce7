"""The pages that are made from the program: commands, keys, and the man page; `--check` tells which are stale.

Run as `python tools/manual.py` from anywhere; it writes docs/commands.md, docs/keys.md and docs/grokscope.1.
"""

from __future__ import annotations

import html
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from grokscope.app.keys import markdown as key_table
from grokscope.cli.main import app

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 110
MADE = "made by `make docs` from the program itself"
PLACES = (
    ("RUN.spectra.h5", "beside RUN.h5: what was measured of it"),
    ("~/.cache/grokscope", "laws of noise, compiled training steps, checksums of others' checkpoints, and "
                           "spectra of runs whose folder cannot be written"),
    ("~/.local/share/grokscope", "downloaded datasets, on Linux; elsewhere the user's data folder"),
)  # fmt: skip
VARIABLES = (
    ("XDG_CACHE_HOME", "where the folder of the cache lies, instead of ~/.cache"),
    ("NO_COLOR", "no colours"),
    ("TERM", "no colours where it is dumb or empty; the viewer refuses such a terminal"),
    ("GROKSCOPE_DEBUG", "1: the traceback of every error, as by --debug"),
)
KEPT = "All of these files may be deleted at any time; what is missing is made anew."
MOUSE = ("Mouse: click a layer, a checkpoint or a pane; drag through time; the wheel goes on and back. Marks: ◇ a "
         "phase begins, ▴ a layer's first trap, ▲ the cursor, ◆ the mark of `m`. `e` writes RUN-stepN-VIEW.svg "
         "and .csv beside the run, or here where that folder cannot be written.")  # fmt: skip
EXIT_CODES = (("0", "done"), ("1", "failed, or a check found something"), ("2", "wrong usage or bad input"),
              ("130", "interrupted; what was done is kept"))  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """An argument or option: how it is written, what it does, and its default in words, "" where it has none."""

    written: str
    help: str
    default: str
    is_option: bool


@dataclass(frozen=True)
class Command:
    """A command with its paragraphs of help and its parameters."""

    name: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """The line that calls it: options, then arguments."""
        arguments = [one.written for one in self.parameters if not one.is_option]
        return " ".join(["grokscope", self.name, "[OPTIONS]", *arguments])


GROUP: Any = typer.main.get_command(app)


def commands() -> list[Command]:
    """Every command, in the order of `grokscope --help`."""
    return [
        Command(name, tuple(command.help.split("\n\n")), _parameters(command))
        for name, command in GROUP.commands.items()
    ]


def _parameters(command: Any) -> tuple[Parameter, ...]:
    return tuple(_parameter(one) for one in command.params if not getattr(one, "hidden", False))


def _parameter(one: Any) -> Parameter:
    if one.param_type_name == "argument":
        written = one.metavar if one.required else f"[{one.metavar}]"
        return Parameter(written, one.help or "", str(one.default or ""), is_option=False)
    names = sorted(one.opts, key=len, reverse=True) + one.secondary_opts
    value = "" if one.is_flag else f" {one.metavar or one.type.name.upper()}"
    written = ", ".join(names) + value
    default = "" if one.default is None or one.default is False else str(one.default)
    return Parameter(written, one.help or "", default, is_option=True)


def commands_page() -> str:
    """docs/commands.md."""
    lines = ["# Commands", "", f"This page is {MADE}; `grokscope COMMAND --help` prints the same.", ""]
    lines += ["| exit code | |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES), ""]
    lines += [
        "Results go to stdout, progress and notes to stderr; `--json` keys are stable ([JSON](json.md)).",
        "",
    ]
    for command in commands():
        lines += [f"## {command.name}", "", f"    {command.usage}", ""]
        for paragraph in command.paragraphs:
            lines += [textwrap.fill(paragraph, WIDTH), ""]
        lines += [*_table(command.parameters), ""]
    lines += ["## Options of grokscope itself", "", *_table(_parameters(GROUP)), ""]
    lines += ["## Files and environment", "", "| | |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in (*PLACES, *VARIABLES)]
    return "\n".join([*lines, "", KEPT, ""])


def _table(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    yield from ("| | | default |", "|---|---|---|")
    yield from (f"| {_code(one.written)} | {one.help} | {one.default} |" for one in parameters)


def _code(text: str) -> str:
    """Text as code in a cell of a table, where a bar would end the cell."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def keys_page() -> str:
    """docs/keys.md."""
    text = f"This page is {MADE}; `?` in the app shows them, `ctrl+p` finds a command by its words."
    return f"# Keys\n\n{text}\n\n{key_table()}\n{textwrap.fill(MOUSE, WIDTH)}\n"


def man_page() -> str:
    """docs/grokscope.1, in the man macros."""
    return "\n".join(_roff()) + "\n"


def _roff() -> Iterator[str]:
    yield '.TH GROKSCOPE 1 "" "grokscope" "User commands"'
    yield from (".SH NAME", "grokscope \\- a terminal microscope for training runs")
    yield from (".SH SYNOPSIS", ".B grokscope", "COMMAND [OPTIONS] ...")
    yield from (
        ".SH DESCRIPTION",
        "When did this network memorise, generalise or collapse, and can its weights tell?",
    )
    yield from ("Every command takes \\fB\\-\\-help\\fR.", ".SH COMMANDS")
    for command in commands():
        yield f".SS {_escaped(command.usage)}"
        for number, paragraph in enumerate(command.paragraphs):
            yield from ([".PP"] if number else [])
            yield _escaped(paragraph)
        yield from _tagged(_described(command.parameters))
    yield ".SH OPTIONS"
    yield from _tagged(_described(_parameters(GROUP)))
    yield ".SH EXIT STATUS"
    yield from _tagged(EXIT_CODES)
    yield ".SH FILES"
    yield from _tagged(PLACES)
    yield from (".PP", KEPT)
    yield ".SH ENVIRONMENT"
    yield from _tagged(VARIABLES)


def _described(parameters: tuple[Parameter, ...]) -> Iterator[tuple[str, str]]:
    for one in parameters:
        yield one.written, one.help + (f" (default: {one.default})" if one.default else "")


def _tagged(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Paragraphs that each begin with what they are about."""
    for name, meaning in entries:
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", _escaped(meaning) or "\\&")


def _escaped(text: str) -> str:
    """Text as roff takes it: hyphens that are minus signs, no backslash, no line that begins with a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


PAGES = {"commands.md": commands_page, "keys.md": keys_page, "grokscope.1": man_page}


def main() -> int:
    """Write every page, or with --check return 1 where one is not what it would be."""
    stale = [name for name, make in PAGES.items()
             if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != make()]  # fmt: skip
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/{name} is not what the program says; `make docs` makes it anew")
        return int(bool(stale))
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
