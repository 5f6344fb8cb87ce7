"""Whole screens as text, held against the ones that were looked at; UPDATE_SCREENS=1 writes them anew.

Text rather than SVG: a change is read in the diff, and fonts and ids of a Textual release do not matter.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from grokscope.app import actions
from grokscope.app.app import Microscope
from grokscope.app.frame import Layer
from grokscope.app.session import Session
from grokscope.figures.colors import LIGHT, Palette
from grokscope.runfile.liveness import Liveness
from tests.app.conftest import write_run
from tests.app.driving import app_on, press, screen_of
from tests.app.svg_picture import read

SCREENS = Path(__file__).parent / "screens"
SMALL, MIDDLE, LARGE, LEAST = (80, 24), (120, 40), (200, 60), (60, 20)
LIVE = Liveness("running", 54_321, 1234.0, 0.4, 3725.0)

CASES: dict[str, tuple[tuple[int, int], str]] = {
    "overview-80x24": (SMALL, ""),
    "overview-120x40": (MIDDLE, "["),
    "overview-200x60": (LARGE, "[ down"),
    "overview-60x20": (LEAST, ""),
    "overview-60x20-randomised": (LEAST, "tab"),
    "spectrum-80x24": (SMALL, "2"),
    "spectrum-search-120x40": (MIDDLE, "2 p"),
    "traps-80x24": (SMALL, "3"),
    "traps-120x40": (MIDDLE, "3 tab"),
    "trajectories-80x24": (SMALL, "4"),
    "trajectories-120x40": (MIDDLE, "4 tab"),
    "heatmap-80x24": (SMALL, "[ 5 n"),
    "heatmap-120x40": (MIDDLE, "5 j left"),
    "spectrogram-80x24": (SMALL, "G 6"),
    "spectrogram-120x40": (MIDDLE, "6 j"),
    "compare-120x40": (MIDDLE, "g m G"),
    "help-80x24": (SMALL, "?"),
    "linear-axes-120x40": (MIDDLE, "x y tab x y"),
}


ROLES: dict[str, str] = {
    "train 100.0": "train",
    "test 50.0": "test",
    "at step": "text",
    "100,000": "cursor",
    "pre-grokking": "phase P",
    "1-6": "accent",
    "ESD fc": "text",
    "randomised fc": "text",
    "noise p": "muted",
    "λ₋": "edge",
    "compared with": "mark",
    "leading direction": "text",
    "one checkpoint back": "text",
}
"""What words on screen stand for, and so in which of a palette's colours they must be."""


def compare(app: Microscope, name: str) -> str:
    """Hold the screen against the kept one, and return it."""
    screen = "\n".join(line.rstrip() for line in screen_of(app).split("\n")) + "\n"
    path = SCREENS / f"{name}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        SCREENS.mkdir(exist_ok=True)
        path.write_text(screen, encoding="utf-8")
    assert screen == path.read_text(encoding="utf-8")
    return screen


def check_frames(screen: str) -> None:
    """Every plot has a whole frame: right and left edges up to a corner, or to the title in the top edge."""
    lines, found = screen.split("\n"), 0
    for row, line in enumerate(lines):
        for match in re.finditer("└[^└┘]*┘", line):
            left, right = ("".join(above[column : column + 1] for above in lines[row - 1 :: -1])
                           for column in (match.start(), match.end() - 1))  # fmt: skip
            edge = re.match("│*┐", right)
            assert edge, f"the frame that ends in row {row} has no right edge:\n{screen}"
            assert set(left[: len(edge[0]) - 1]) <= set("│┤"), f"row {row}, left edge:\n{screen}"
            found += 1
    assert found, screen


def color_of(role: str, palette: Palette) -> str:
    """The palette's colour for a role such as `test` or `phase P`."""
    name, _, letter = role.partition(" ")
    return palette.phases[letter] if letter else str(getattr(palette, name))


def check_picture(app: Microscope, name: str, screen: str, *, grey: bool) -> None:
    """Hold the SVG export against the screen: well-formed, as large, with the same text in the right colours."""
    width, height = CASES[name][0]
    picture = read(app.export_screenshot(title=name))
    assert picture.rows == height
    assert "\n".join(picture.lines(width)) + "\n" == screen
    covered = bool(app.state.sheet)
    checked = 0
    for words, role in ROLES.items():
        found = picture.color_of(words)
        if not found or (covered and words != "one checkpoint back"):
            continue
        checked += 1
        if grey:
            assert all(len({color[k : k + 2] for k in (1, 3, 5)}) == 1 for color in found), words
        else:
            assert found == {color_of(role, app.state.palette)}, words
    assert checked >= (1 if covered else 3)
    if not grey:
        assert app.state.palette.background in picture.grounds


@pytest.mark.parametrize("ground", ["dark", "light", "grey"])
@pytest.mark.parametrize("name", CASES)
async def test_screens_are_as_they_were_looked_at(
    analysed_run: Path, name: str, ground: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same text in every palette, on screen and in the SVG export, where it has the palette's colours."""
    if ground == "grey":
        monkeypatch.setenv("NO_COLOR", "1")
    size, keys = CASES[name]
    theme = "light" if ground == "light" else "dark"
    app = Microscope([Session.open(analysed_run)], theme=theme, analysis=False, watching=False)
    async with app.run_test(size=size) as pilot:
        await press(pilot, *keys.split())
        await app.settled()
        app.act(actions.heard)
        await pilot.pause()
        screen = compare(app, name)
        check_picture(app, name, screen, grey=ground == "grey")
        if not app.state.sheet:
            check_frames(screen)


async def test_an_empty_run(tmp_path: Path) -> None:
    app = app_on(write_run(tmp_path / "empty.h5", 0))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        compare(app, "empty-80x24")


async def test_one_checkpoint_that_is_not_analysed(tmp_path: Path) -> None:
    app = app_on(write_run(tmp_path / "one.h5", 1))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        compare(app, "one-checkpoint-80x24")


async def test_a_live_run_has_a_badge_a_rate_and_an_eta(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=SMALL) as pilot:
        app.put(replace(app.state, liveness=LIVE, following=True, analysing=(30, 36)))
        await pilot.pause()
        compare(app, "live-80x24")


async def test_alpha_that_is_unknown_is_a_dash_never_a_number(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=MIDDLE) as pilot:
        frame = app.state.frame
        assert frame is not None
        unknown = float("nan")
        measured = [layer.spectrum for layer in frame.layers if layer.spectrum is not None]
        blank = [replace(one, alpha=unknown, alpha_sigma=unknown, xmin=unknown, num_tail=0) for one in measured]
        layers = [Layer(one.name, one.shape, partial(lambda one: one, one)) for one in blank]
        app.put(replace(app.state, frame=replace(frame, layers=tuple(layers))))
        await pilot.pause()
        compare(app, "unknown-alpha-120x40")


def colors_of(app: Microscope) -> set[tuple[int, int, int]]:
    """Every colour on screen."""
    styles = [
        segment.style for strip in app.screen._compositor.render_strips() for segment in strip if segment.style
    ]
    colors = [color for style in styles for color in (style.color, style.bgcolor) if color is not None]
    return {tuple(color.get_truecolor()) for color in colors}  # type: ignore[misc]


async def test_light_and_dark_have_the_same_text(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=SMALL) as pilot:
        dark, colors = screen_of(app), colors_of(app)
        await press(pilot, "t")
        assert app.state.palette is LIGHT
        assert screen_of(app) == dark
        assert min(sum(color) for color in colors) < 120 < 600 < max(sum(color) for color in colors_of(app))


async def test_without_colour_there_is_only_grey(analysed_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_on(analysed_run)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause()
        assert "A ANTI-GROKKING" in screen_of(app)
        filtered = [
            segment.style
            for strip in app.screen._compositor.render_strips()
            for segment in strip.apply_filter(app._filters[0], app.screen.background_colors[1])
            if segment.style is not None
        ]
        for style in filtered:
            for color in (style.color, style.bgcolor):
                assert color is None or len(set(color.get_truecolor())) == 1
