"""The colours: whatever is written can be read on its ground, and lines are told apart by every eye."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from grokscope.figures.colors import DARK, LIGHT, UNDECIDED, Palette

DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Linear RGB as seen without the middle cones: Machado, Oliveira and Fernandes 2009, severity 1."""

XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""sRGB in linear light to CIE XYZ, its white at (0.9505, 1, 1.089)."""


def linear(color: str) -> np.ndarray:
    parts = np.array([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast."""
    dim, bright = sorted(float(XYZ[1] @ linear(color)) for color in (one, other))
    return (bright + 0.05) / (dim + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    ratios = XYZ @ np.clip(light, 0, 1) / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_text_and_curves_can_be_read_on_every_ground(palette: Palette) -> None:
    inks = {palette.text, palette.muted, palette.train, palette.test, palette.mark, *palette.layers, *palette.runs}
    inks |= {palette.role(f"{UNDECIDED}layer{k}") for k in range(len(palette.layers))}
    grounds = (palette.background, *palette.bands.values(), palette.shade)
    assert not {(ink, ground) for ink in inks for ground in grounds if contrast(ink, ground) < 4.5}
    inks = {palette.accent, palette.trap, palette.warning, palette.edge, palette.fit, *palette.phases.values()}
    assert all(contrast(ink, palette.background) >= 4.5 for ink in inks)


@pytest.mark.parametrize("palette", [DARK, LIGHT])
@pytest.mark.parametrize("letter", "PGA?·")
def test_a_phase_can_be_read_on_its_band(palette: Palette, letter: str) -> None:
    assert contrast(palette.phases[letter], palette.bands[letter]) >= 4.5


@pytest.mark.parametrize("palette", [DARK, LIGHT])
@pytest.mark.parametrize("eye", [np.eye(3), DEUTERANOPIA], ids=["usual", "deuteranopia"])
def test_lines_are_told_apart_by_every_eye(palette: Palette, eye: np.ndarray) -> None:
    phases = tuple(palette.phases[letter] for letter in "PGA")
    for colors in (palette.layers, (*palette.runs, palette.train, palette.test), phases):
        for one, other in combinations(colors, 2):
            apart = np.linalg.norm(lab(eye @ linear(one)) - lab(eye @ linear(other)))
            assert apart >= 12 or {one, other} == {palette.train, palette.test}, (one, other)


@pytest.mark.parametrize("palette", [DARK, LIGHT])
def test_the_ramp_of_a_map_goes_one_way_in_lightness(palette: Palette) -> None:
    """So it is read without colours too."""
    lightness = [float(XYZ[1] @ linear(color)) for color in palette.ramp]
    assert lightness == sorted(lightness, reverse=not palette.dark)
    assert contrast(palette.ramp[0], palette.ramp[-1]) > 7
