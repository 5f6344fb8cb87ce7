"""The steps that the user says: by a regular expression for the names, or in a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.files import read_text
from grokscope.runfile import LeftOut
from grokscope.steps import parse_number
from grokscope.trajectory.layouts import bare_name
from grokscope.trajectory.numbered import Numbering, some

LARGEST_TABLE = 1 << 26  # bytes


def steps_by_regex(checkpoints: Iterable[str], pattern: str) -> Numbering:
    """Search a pattern in the names of checkpoints: its first group is the step."""
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--step-regex {pattern!r} is no regular expression: {error}") from None
    if regex.groups < 1:
        raise UsageError(rf"--step-regex {pattern!r} has no group; put the step into one: 'step_(\d+)'")
    found = {name: match[1] for name in checkpoints if (match := regex.search(name)) and match[1] is not None}
    steps = {
        name: _given(text, f"--step-regex {pattern!r} finds {text!r} in {name}") for name, text in found.items()
    }
    if not steps:
        raise UsageError(f"--step-regex {pattern!r} matches none of {some(list(checkpoints))}")
    others = tuple(LeftOut(name, "--step-regex does not match it") for name in checkpoints if name not in steps)
    return Numbering(steps, "--step-regex", others)


def steps_in_table(checkpoints: Iterable[str], path: Path) -> Numbering:
    """Read lines `name,step`; a first line that says so is skipped, and a name may have its suffix or not.

    Where both stand there, the line with the name as it is counts.
    """
    try:
        rows = [row for row in csv.reader(read_text(path, LARGEST_TABLE, "utf-8-sig").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as lines of `name,step`: {error}") from None
    listed: dict[str, int] = {}
    for line, row in enumerate(rows, start=1):
        if line == 1 and row[-1].strip().lower() == "step":
            continue
        if len(row) != 2:
            raise UsageError(f"{path}, line {line}: give `name,step`")
        name, step = row[0].strip(), _given(row[1], f"{path}, line {line}: {row[1]!r}")
        if (first := listed.setdefault(name, step)) != step:
            raise UsageError(f"{path}, line {line}: {name} has step {step} and had {first} in an earlier line")
    known = {bare_name(Path(name)): step for name, step in listed.items()} | listed
    steps = {name: known[key] for name in checkpoints for key in (Path(name).name, name) if key in known}
    if not steps:
        raise UsageError(f"{path} lists none of {some(list(checkpoints))}")
    others = tuple(LeftOut(name, f"{path.name} does not list it") for name in checkpoints if name not in steps)
    used = {key for name in steps for key in (Path(name).name, name)}
    astray = [name for name in listed if name not in used and bare_name(Path(name)) not in used]
    said = f", where {some(astray)} stands for no checkpoint" if astray else ""
    return Numbering(steps, f"{path.name}{said}", others)


def _given(text: str, where: str) -> int:
    number = parse_number(text)
    if number is None or number != int(number) or number < 0:
        raise UsageError(f"{where}, which is no step; steps are whole numbers such as 500000, 500k or 2.2e5")
    return int(number)
