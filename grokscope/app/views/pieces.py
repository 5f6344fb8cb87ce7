"""A line of several pieces, each as long as there is room for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from grokscope.app.plots.canvas import fit
from grokscope.names import safe_name


@dataclass(frozen=True)
class Piece:
    """A part of a line in its forms, longest first, and how much each is worth keeping when room is short.

    With `least` a form may also be cut, to no fewer cells than that.
    """

    forms: tuple[str, ...]
    color: str
    keep: tuple[int, ...]
    background: str | None = None
    bold: bool = False
    least: int | None = None

    def least_cells(self, form: int) -> int:
        """The cells that a form takes at least."""
        size = cell_len(self.forms[form])
        return size if self.least is None else min(size, self.least)


def line(pieces: list[Piece], width: int) -> Text:
    """Lay pieces out two cells apart; what matters least is shortened, then left out, until the rest fits.

    What may be cut gets the room that is left, what matters most first.
    """
    pieces = [replace(piece, forms=tuple(map(safe_name, piece.forms))) for piece in pieces]
    chosen = dict.fromkeys(range(len(pieces)), 0)
    while chosen and _least_length(pieces, chosen) > width - 2:
        least = min(chosen, key=lambda k: pieces[k].keep[chosen[k]])
        if chosen[least] + 1 < len(pieces[least].forms):
            chosen[least] += 1
        else:
            del chosen[least]
    words, spare = {}, width - 2 - _least_length(pieces, chosen)
    for k, form in sorted(chosen.items(), key=lambda one: -pieces[one[0]].keep[one[1]]):
        piece, size = pieces[k], cell_len(pieces[k].forms[form])
        given = min(size, piece.least_cells(form) + spare)
        spare -= given - piece.least_cells(form)
        words[k] = piece.forms[form] if given == size else fit(piece.forms[form], given)
    text = Text(" ", no_wrap=True, end="")
    for place, k in enumerate(chosen):
        piece = pieces[k]
        text.append("  " if place else "")
        text.append(words[k], Style(color=piece.color, bgcolor=piece.background, bold=piece.bold or None))
    return text


def _least_length(pieces: list[Piece], chosen: dict[int, int]) -> int:
    return sum(pieces[k].least_cells(form) for k, form in chosen.items()) + 2 * (len(chosen) - 1)
