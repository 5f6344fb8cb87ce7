"""The pages that are made from the program: commands, keys, and the man page; `--check` tells which are stale.

Run as `python tools/manual.py` from anywhere; it writes docs/commands.md, docs/keys.md and docs/grokscope.1.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from grokscope.app.keys import markdown as key_table
from grokscope.cli.main import app

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 110
MADE = "made by `make docs` from the program itself"
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


def commands() -> list[Command]:
    """Every command, in the order of `grokscope --help`."""
    group: Any = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():
        context = command.make_context(name, [], resilient_parsing=True)
        parameters = tuple(_parameter(one, context) for one in command.params if not getattr(one, "hidden", False))
        found.append(Command(name, tuple(command.help.split("\n\n")), parameters))
    return found


def _parameter(one: Any, context: Any) -> Parameter:
    if one.param_type_name == "argument":
        return Parameter(one.metavar or one.make_metavar(context), one.help or "", "", is_option=False)
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
        lines += ["| | | default |", "|---|---|---|"]
        lines += [f"| `{one.written.replace('|', chr(92) + '|')}` | {one.help} | {one.default} |"
                  for one in command.parameters]  # fmt: skip
        lines.append("")
    return "\n".join(lines)


def keys_page() -> str:
    """docs/keys.md."""
    text = f"This page is {MADE}; `?` in the app shows the same, `ctrl+p` finds a command by its words."
    return f"# Keys\n\n{text}\n\n{key_table()}\n"


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
        for one in command.parameters:
            default = f" (default: {one.default})" if one.default else ""
            yield from (".TP", f"\\fB{_escaped(one.written)}\\fR", _escaped(one.help + default) or "\\&")
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES:
        yield from (".TP", f"\\fB{code}\\fR", meaning)


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
