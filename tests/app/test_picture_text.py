"""The text of an exported picture: in its columns, whatever font draws it, and with nothing to be fetched."""

from __future__ import annotations

import re
from html import unescape
from io import StringIO

import pytest
from rich.console import Console

from grokscope.app.picture_text import in_place


@pytest.fixture(scope="module")
def exported() -> tuple[str, str]:
    """A line of letters, braille and blocks in one style, as Rich exports it, and the line."""
    line = "  α < 2   ⣀⡠   ⠔▇▇ x & y"
    console = Console(record=True, width=40, file=StringIO(), force_terminal=True)
    console.print(line, highlight=False)
    return console.export_svg(title=""), line


def test_each_kind_of_character_stands_in_its_own_column(exported: tuple[str, str]) -> None:
    svg, line = exported
    found = re.findall(r'x="([\d.]+)" y="[\d.]+" textLength="([\d.]+)"[^>]*line-0\)">([^<\n]+)<', in_place(svg))
    pieces = [(round(float(x) / 12.2), round(float(length) / 12.2), unescape(text)) for x, length, text in found]
    assert [text for *_, text in pieces] == ["α\xa0<\xa02", "⣀⡠", "⠔", "▇▇", "x\xa0&\xa0y"]
    for column, cells, text in pieces:
        plain = text.replace("\xa0", " ")
        assert (line.index(plain), len(plain)) == (column, cells)


def test_a_picture_asks_for_nothing(exported: tuple[str, str]) -> None:
    svg, _ = exported
    assert 'url("http' in svg
    assert 'url("http' not in in_place(svg)
    assert 'local("FiraCode-Regular")' in in_place(svg)
