"""The palettes as themes of Textual, for the few stock widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grokscope.figures.colors import DARK, LIGHT, Palette

if TYPE_CHECKING:
    from textual.theme import Theme

PALETTES = {palette.name: palette for palette in (DARK, LIGHT)}


def textual_theme(palette: Palette) -> Theme:
    """The palette as a Textual theme."""
    from textual.theme import Theme

    return Theme(
        name=palette.name,
        primary=palette.accent,
        secondary=palette.edge,
        accent=palette.accent,
        warning=palette.warning,
        error=palette.trap,
        success=palette.phases["G"],
        foreground=palette.text,
        background=palette.background,
        surface=palette.background,
        panel=palette.panel,
        dark=palette.dark,
    )
