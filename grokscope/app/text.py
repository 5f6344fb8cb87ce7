"""Words on screen, cut or padded to their cells."""

from __future__ import annotations

from rich.cells import cell_len


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad the text to `width` cells, or cut it with `…`; wide characters count as two cells."""
    length = cell_len(text)
    if length > width:
        text, length = _cut(text, width)
    padding = " " * (width - length)
    return padding + text if right else text + padding


def _cut(text: str, width: int) -> tuple[str, int]:
    if width <= 0:
        return "", 0
    kept, length = "", 0
    for character in text:
        size = cell_len(character)
        if length + size > width - 1:
            break
        kept, length = kept + character, length + size
    return kept + "…", length + 1
