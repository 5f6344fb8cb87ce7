"""Text in an exported picture: every piece stands where its first character stands on the screen.

Rich places one piece of text for each style, spaces and all kinds of characters together. A program that draws it
takes braille or blocks from another font than letters, where they are wider or narrower, and some (librsvg) skip
the spaces that a piece begins with: what follows is then drawn in the wrong column. Here spaces are left out, and
each kind of character is a piece of its own. The font is looked for on the machine alone, not fetched.
"""

from __future__ import annotations

import re
from html import escape, unescape

from rich.cells import cell_len

_TEXT = re.compile(r'<text ([^>]*?)x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>([^<]*)</text>')
_DRAWN = "\u2500-\u25ff\u2800-\u28ff"  # boxes, blocks and triangles; braille
_PIECE = re.compile(f"[\u2800-\u28ff]+|[\u2500-\u25ff]+|[^{_DRAWN} ]+(?: [^{_DRAWN} ]+)*")
_FETCHED = re.compile(r',\s*url\("https?:[^)]*\)\s*format\("[^"]*"\)')


def in_place(svg: str) -> str:
    """Return the same picture, as Rich exports it, with all text where it belongs, and nothing to be fetched."""
    return _TEXT.sub(_pieces, _FETCHED.sub("", svg))


def _pieces(found: re.Match[str]) -> str:
    before, x, y, length, after, written = found.groups()
    text = unescape(written).replace("\xa0", " ")
    cell = float(length) / max(1, cell_len(text))
    return "".join(
        f'<text {before}x="{float(x) + cell * cell_len(text[: piece.start()]):.1f}" y="{y}" '
        f'textLength="{cell * cell_len(piece[0]):.1f}"{after}>{_escaped(piece[0])}</text>'
        for piece in _PIECE.finditer(text)
    )


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace(" ", "&#160;")
