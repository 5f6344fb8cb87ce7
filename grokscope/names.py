"""Names from files, made safe to print: one place cleans what reaches a terminal, a page or a picture."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache


@lru_cache(maxsize=8192)  # the viewer asks for the same ones at every key
def safe_name(name: str) -> str:
    """The name with everything that could move the cursor or reorder the line made visible as `·`."""
    return "".join(
        "·" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else c for c in name
    )


_COLOR = re.compile("(\x1b\\[[0-9;]*m)")


def safe_text(text: str, *, colors: bool = False) -> str:
    """Several lines made safe to print: line breaks and tabs stay, and with `colors` the sequences that colour."""
    pieces = _COLOR.split(text) if colors else [text]
    return "".join(
        piece if number % 2 else "".join(c if c in "\n\t" else safe_name(c) for c in piece)
        for number, piece in enumerate(pieces)
    )
