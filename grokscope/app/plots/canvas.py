"""A grid of styled cells that becomes one rich Text, and words cut or padded to their cells."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len
from rich.style import Style
from rich.text import Span, Text

from grokscope.names import safe_name

Look = tuple[str | None, str | None, bool]  # foreground, background, bold


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad the text to `width` cells, or cut it with `…`; wide characters count as two cells, others as one."""
    text = safe_name(text)
    length = cell_len(text)
    if length > width:
        text, length = _cut(text, width)
    padding = " " * (width - length)
    return padding + text if right else text + padding


def fit_end(text: str, width: int) -> str:
    """The same, but what is cut is the beginning: the end of a layer's name tells it from others."""
    if cell_len(text) <= width:
        return fit(text, width)
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return fit(f"…{text}", width) if width > 0 else ""


def fit_middle(text: str, width: int) -> str:
    """The same, but what is cut is the middle: files' names often begin alike and end in what tells them apart."""
    if cell_len(text) <= width:
        return fit(text, width)
    begun = fit(text, width // 3 + 1).rstrip("… ")
    return fit(begun + fit_end(text[len(begun) :], width - cell_len(begun)), width)


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


@lru_cache(maxsize=1024)
def _style(look: Look) -> Style:
    foreground, background, bold = look
    return Style(color=foreground, bgcolor=background, bold=bold or None)


class Canvas:
    """`height` rows of `width` cells; later drawing covers earlier drawing, backgrounds stay unless replaced."""

    def __init__(self, width: int, height: int) -> None:
        self.width = max(0, width)
        self.height = max(0, height)
        self.characters = [[" "] * self.width for _ in range(self.height)]
        self.looks: list[list[Look]] = [[(None, None, False)] * self.width for _ in range(self.height)]

    def put(
        self,
        row: int,
        column: int,
        text: str,
        color: str | None = None,
        background: str | None = None,
        *,
        bold: bool = False,
    ) -> None:
        """Write text from a cell on; what falls outside is left out. A wide character fills two cells."""
        if not 0 <= row < self.height:
            return
        characters, looks = self.characters[row], self.looks[row]
        for character in text:
            size = 1 if character.isascii() or "⠀" <= character <= "⣿" else cell_len(character)
            if column >= 0 and column + size <= self.width:
                characters[column] = character
                for covered in range(column, column + size):
                    looks[covered] = (color, background or looks[covered][1], bold)
                if size == 2:
                    characters[column + 1] = ""
            column += size

    def put_right(self, row: int, end: int, text: str, color: str | None = None, *, bold: bool = False) -> None:
        """Write text so that it ends before column `end`."""
        self.put(row, end - cell_len(text), text, color, bold=bold)

    def put_fitted(self, row: int, column: int, width: int, text: str, color: str | None = None) -> None:
        """Write text cut to `width` cells."""
        text = safe_name(text)
        self.put(row, column, fit(text, min(width, cell_len(text))), color)

    def background(self, row: int, start: int, stop: int, color: str) -> None:
        """Colour the ground behind columns start (included) to stop."""
        if not 0 <= row < self.height:
            return
        looks = self.looks[row]
        for column in range(max(0, start), min(self.width, stop)):
            foreground, _, bold = looks[column]
            looks[column] = (foreground, color, bold)

    def paste(self, other: Canvas, row: int, column: int) -> None:
        """Copy another canvas in, its top left corner at (row, column); what falls outside is left out."""
        size = min(other.width, self.width - column)
        for k in range(min(other.height, self.height - row)):
            self.characters[row + k][column : column + size] = other.characters[k][:size]
            self.looks[row + k][column : column + size] = other.looks[k][:size]

    def text(self) -> Text:
        """The grid as one Text, one line a row, no wrapping, in as few pieces as show the same.

        A blank has no foreground, so it belongs to the piece before it where the grounds are alike.
        """
        lines, spans, start = [], [], 0
        for characters, looks in zip(self.characters, self.looks, strict=True):
            line = list(_pieces(characters, looks))
            for look, words in line:
                spans.append(Span(start, start + len(words), _style(look)))
                start += len(words)
            lines.append("".join(words for _, words in line))
            start += 1
        return Text("\n".join(lines), no_wrap=True, end="", spans=spans)

    def copy(self) -> Canvas:
        """The same cells, to draw over."""
        canvas = Canvas(0, 0)
        canvas.width, canvas.height = self.width, self.height
        canvas.characters, canvas.looks = [row[:] for row in self.characters], [row[:] for row in self.looks]
        return canvas


def _pieces(characters: list[str], looks: list[Look]) -> Iterator[tuple[Look, str]]:
    start, blank = 0, True
    now: Look = looks[0] if looks else (None, None, False)
    for column, (character, look) in enumerate(zip(characters, looks, strict=True)):
        if look[1] != now[1] or (character != " " and look != now and not blank):
            if column > start:
                yield now, "".join(characters[start:column])
            start, now, blank = column, look, character == " "
        elif blank and character != " ":
            now, blank = look, False
    if characters:
        yield now, "".join(characters[start:])
