"""One table of keys feeds everything that speaks of keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from grokscope.app import actions
from grokscope.app.app import Microscope
from grokscope.app.keys import KEYS, VIEWS, Situation, footer, markdown
from grokscope.app.views.help import help_text
from grokscope.figures.colors import DARK, LIGHT, Palette

README = Path(__file__).parent.parent.parent / "README.md"
DESIGNED = {
    *("left", "h", "right", "l", "shift+left", "shift+right", "g", "G", "home", "end", "up", "k", "down", "j"),
    *("left_square_bracket", "right_square_bracket", "colon", "1", "2", "3", "4", "tab", "space", "f", "m", "x"),
    *("y", "c", "e", "d", "w", "t", "ctrl+p", "question_mark", "escape", "q"),
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
        assert hasattr(actions, key.name) is not hasattr(Microscope, f"action_{key.name}"), key


@pytest.mark.parametrize("palette", [DARK, LIGHT])
@pytest.mark.parametrize("width", [75, 57])
def test_the_help_names_every_key_at_any_width(palette: Palette, width: int) -> None:
    text = help_text(palette, width).plain
    assert max(map(len, text.split("\n"))) <= width
    for key in KEYS:
        assert key.shown in text
        assert key.help in text


@pytest.mark.parametrize("mark", [*"mebGPA?·◇▴▲◆╎┊◂", "obs. b", "1.5 (1–3)", "λ₊", "xmin"])
def test_the_help_says_what_the_marks_on_screen_stand_for(mark: str) -> None:
    legend = help_text(DARK, 75).plain.split("\n")[-8:]
    assert any(f" {mark}" in line for line in legend)


def test_the_readme_has_the_same_table() -> None:
    assert markdown() in README.read_text(encoding="utf-8")


SITUATIONS = [
    Situation(
        view, live=live, following=following, playing=playing, mark=mark, one_spectrum=narrow, listing=listing
    )
    for view in VIEWS
    for live, following, playing in [
        (False, False, False),
        (True, False, False),
        (True, True, False),
        (True, True, True),
    ]
    for mark in ("", "here", "elsewhere")
    for narrow in (False, True)
    for listing in (False, True)
]


@pytest.mark.parametrize("width", [60, 75, 80, 200])
def test_the_footer_fits_with_keys_from_the_table_and_always_says_how_to_get_help_and_out(width: int) -> None:
    shown = {part for key in KEYS for part in key.shown.split()}
    for now in SITUATIONS:
        found = footer(now, width)
        assert len(found) >= 5
        assert sum(len(key) + len(word) + 3 for key, word in found) <= width
        assert [word for _, word in found[-2:]] == ["help", "quit"]
        for keys, _ in found:
            assert set(keys.replace("1-6", "1 6").split()) <= shown


def words_of(now: Situation, width: int = 120) -> dict[str, str]:
    return {word: key for key, word in footer(now, width)}


def test_the_footer_says_what_a_key_does_here() -> None:
    plain = Situation("overview")
    assert words_of(plain)["compare"] == "m"
    assert words_of(replace(plain, mark="here"))["unmark"] == "m"
    away = words_of(replace(plain, mark="elsewhere"))
    assert (away["mark here"], away["unmark"]) == ("m", "esc")
    assert words_of(replace(plain, live=True))["follow"] == "f"
    following = words_of(replace(plain, live=True, following=True))
    assert following["unfollow"] == "f"
    assert "follow" not in following
    assert words_of(Situation("traps"))["layer"] == "↑ ↓"
    assert words_of(Situation("traps", listing=True))["trap"] == "↑ ↓"
    assert words_of(replace(plain, one_spectrum=True), 60)["spectra"] == "tab"
