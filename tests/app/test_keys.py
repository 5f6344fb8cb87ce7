"""One table of keys feeds everything that speaks of keys."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from grokscope.app.app import Microscope
from grokscope.app.help_screen import help_text
from grokscope.app.keys import KEYS, VIEWS, footer, markdown
from grokscope.app.theme import DARK, LIGHT

README = Path(__file__).parent.parent.parent / "README.md"
DESIGNED = {
    *("left", "h", "right", "l", "shift+left", "shift+right", "g", "G", "home", "end", "up", "k", "down", "j"),
    *("left_square_bracket", "right_square_bracket", "colon", "1", "2", "3", "4", "tab", "space", "f", "m", "x"),
    *("y", "c", "e", "d", "t", "ctrl+p", "question_mark", "escape", "q"),
}


def test_every_key_of_the_design_is_there_and_none_does_two_things() -> None:
    counts = Counter(name for key in KEYS for name in key.keys)
    assert set(counts) >= DESIGNED
    assert set(counts.values()) == {1}


def test_no_ctrl_chord_beside_the_palette_and_job_control() -> None:
    chords = {name for key in KEYS for name in key.keys if name.startswith("ctrl+")}
    assert chords == {"ctrl+p", "ctrl+z"}


def test_every_action_exists_in_the_app() -> None:
    for key in KEYS:
        assert hasattr(Microscope, f"action_{key.action.partition('(')[0]}"), key


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_the_help_names_every_key_and_fits_80_by_24(palette: object) -> None:
    text = help_text(palette).plain  # type: ignore[arg-type]
    lines = text.split("\n")
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 78
    for key in KEYS:
        assert key.shown in text
        assert key.help in text


def test_the_readme_has_the_same_table() -> None:
    assert markdown() in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("playing", [False, True])
def test_the_footer_shows_four_to_seven_keys_from_the_table(view: str, live: bool, playing: bool) -> None:
    shown = {part for key in KEYS for part in key.shown.split()}
    found = footer(view, live=live, playing=playing, marked=False)
    assert 4 <= len(found) <= 7
    for keys, _ in found:
        assert set(keys.replace("1-4", "1 4").split()) <= shown
