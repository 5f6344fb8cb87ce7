"""The screen as SVG, drawn alike by every program that shows it."""

from __future__ import annotations

import re

_LEADING = re.compile(r'x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')
_SPACE = "&#160;"


def without_leading_spaces(svg: str) -> str:
    """The same picture with each piece of text placed where its first visible character stands.

    Some programs (librsvg) skip the spaces that a piece begins with, and so draw it too far left.
    """
    cell = _cell_width(svg)
    return _LEADING.sub(lambda found: _moved(found, cell), svg) if cell else svg


def _moved(found: re.Match[str], cell: float) -> str:
    x, y, length, rest, spaces = found.groups()
    skipped = len(spaces) // len(_SPACE) * cell
    if float(length) - skipped < cell / 2:  # nothing but spaces
        return found.group()
    return f'x="{float(x) + skipped:.1f}" y="{y}" textLength="{float(length) - skipped:.1f}"{rest}>'


def _cell_width(svg: str) -> float:
    """Units a character; 0 where the picture has no text."""
    found = re.search(r'textLength="([\d.]+)"[^>]*>((?:&#?\w+;|[^<&])+)<', svg)
    if found is None:
        return 0.0
    from html import unescape

    from rich.cells import cell_len

    return float(found.group(1)) / max(1, cell_len(unescape(found.group(2))))
