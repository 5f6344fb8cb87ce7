"""Names from files, made safe to print: one place cleans what reaches a terminal, a page or a picture."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable


def safe_name(name: str) -> str:
    """The name with everything that could move the cursor or reorder the line made visible as `·`, one for one."""
    if name.isprintable():
        return name
    return "".join(
        "·" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else c for c in name
    )


def safe_lines(lines: Iterable[str]) -> str:
    """Lines made safe to print, below each other: a line break within one is made visible, too."""
    return "\n".join(map(safe_name, lines))


def pasted(path: object) -> str:
    """A path as one word of a command that a reader may copy into a shell."""
    return shlex.quote(str(path))


_LAID_OUT = re.compile("([\n\t])")
_COLORED = re.compile("([\n\t]|\x1b\\[[0-9;]*m)")


def safe_text(text: str, *, colors: bool = False) -> str:
    """Several lines made safe to print: line breaks and tabs stay, and with `colors` the sequences that colour."""
    pieces = (_COLORED if colors else _LAID_OUT).split(text)
    return "".join(piece if number % 2 else safe_name(piece) for number, piece in enumerate(pieces))
