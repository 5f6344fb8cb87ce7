"""A table of a report: every number in its rows, and how each column is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table: a number and a title, the plain rows, the columns as text, and notes below.

    rows: one dict a row with every number, NaN where unknown. columns: (title, how a row's cell is written).
    """

    number: int
    title: str
    rows: tuple[Row, ...]
    columns: tuple[tuple[str, Callable[[Row], str]], ...]
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> list[str]:
        """The columns' titles."""
        return [title for title, _ in self.columns]

    def cells(self) -> list[list[str]]:
        """The rows as text, unknown cells an en dash."""
        return [[write(row) for _, write in self.columns] for row in self.rows]
