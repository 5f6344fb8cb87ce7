"""Read an SVG export back: the text of each row, and the colour of every character."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from rich.cells import cell_len

CELL, LINE = 12.2, 24.4  # units that a character is wide and a row high
NAMESPACE = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Piece:
    """Text in one style: where it starts, and its colour as `#rrggbb`."""

    row: int
    column: int
    text: str
    color: str


@dataclass(frozen=True)
class Picture:
    """An export: its rows of text, pieces and filled grounds."""

    rows: int
    pieces: tuple[Piece, ...]
    grounds: frozenset[str]

    def lines(self, width: int) -> list[str]:
        """The text as it stands on screen, without spaces at the end of a line."""
        cells = [[" "] * width for _ in range(self.rows)]
        for piece in self.pieces:
            column = piece.column
            for character in piece.text:
                cells[piece.row][column] = character
                column += cell_len(character)
        return ["".join(line).rstrip() for line in cells]

    def color_of(self, words: str) -> set[str]:
        """The colours of the pieces that have the words."""
        return {piece.color for piece in self.pieces if words in piece.text}


def read(svg: str) -> Picture:
    """Parse an export; fails where it is no well-formed XML."""
    root = ElementTree.fromstring(svg)
    style = "".join(element.text or "" for element in root.iter(f"{NAMESPACE}style"))
    colors = dict(re.findall(r"\.([\w-]+-r\d+) \{ fill: (#[0-9a-f]{6})", style))
    clips = [element.get("id", "") for element in root.iter(f"{NAMESPACE}clipPath")]
    pieces = [
        Piece(
            row=int(re.search(r"line-(\d+)", element.get("clip-path", ""))[1]),  # type: ignore[index]
            column=round(float(element.get("x", "0")) / CELL),
            text=(element.text or "").replace("\xa0", " "),
            color=colors[element.get("class", "")],
        )
        for element in root.iter(f"{NAMESPACE}text")
        if "line-" in element.get("clip-path", "") and (element.text or "").strip()
    ]
    grounds = frozenset(element.get("fill", "") for element in root.iter(f"{NAMESPACE}rect"))
    return Picture(1 + sum("line-" in clip for clip in clips), tuple(pieces), grounds)
