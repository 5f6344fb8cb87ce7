"""The colours of everything that is drawn, on dark and on light ground, and the letters of the phases.

One palette for the app, the terminal and paper. Hues are from Okabe and Ito's, which people with any common colour
vision tell apart; a phase is also told by its letter, so nothing depends on hue alone.
"""

from __future__ import annotations

from dataclasses import dataclass

PHASE_LETTERS = {"pre-grokking": "P", "grokking": "G", "anti-grokking": "A", "undecided": "?", "unknown": "·"}


def phase_letter(phase: str) -> str:
    """One letter for a phase: P pre-grokking, G grokking, A anti-grokking, ? undecided, · nothing is known."""
    return PHASE_LETTERS[phase]


UNDECIDED = "undecided "
"""Before a role: values that decide nothing."""


def _between(one: str, other: str) -> str:
    """The colour half-way between two."""
    parts = (round((int(one[k : k + 2], 16) + int(other[k : k + 2], 16)) / 2) for k in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours by what they stand for, as `#rrggbb`.

    `mark` is what is compared with, everywhere: a marked checkpoint or the second run, the first of `runs`.
    `ramp` are the colours of a heat map from low to high, `shade` the ground of what lies within an interval.
    """

    name: str
    dark: bool
    background: str
    panel: str
    text: str
    muted: str
    faint: str
    accent: str
    cursor: str
    mark: str
    train: str
    test: str
    bars: str
    tail: str
    fit: str
    edge: str
    trap: str
    warning: str
    positive: str
    negative: str
    selected: str
    runs: tuple[str, ...]
    layers: tuple[str, ...]
    phases: dict[str, str]
    bands: dict[str, str]
    ramp: tuple[str, ...]
    shade: str

    def role(self, role: str) -> str:
        """The colour of what a mark of a figure stands for; of what is undecided half grey."""
        if role.startswith(UNDECIDED):
            return _between(self.role(role.removeprefix(UNDECIDED)), self.muted)
        if role in PHASE_LETTERS:
            return self.phase(role)
        number = role.removeprefix("layer").removeprefix("run")
        if number.isdigit():
            series = self.runs if role.startswith("run") else self.layers
            return series[int(number) % len(series)]
        return self.muted if role in ("faint", "reference") else str(getattr(self, role))

    def phase(self, phase: str) -> str:
        """The strong colour of a phase's letter."""
        return self.phases[phase_letter(phase)]

    def band(self, phase: str) -> str:
        """The faint background of a phase's stretch of time."""
        return self.bands[phase_letter(phase)]


DARK = Palette(
    name="grokscope-dark",
    dark=True,
    background="#10141a",
    panel="#1a212b",
    text="#dfe5ec",
    muted="#93a0b0",
    faint="#4a5666",
    accent="#56b4e9",
    cursor="#ffffff",
    mark="#ff99d6",
    train="#8f9bab",
    test="#f0b83c",
    bars="#4f6f95",
    tail="#e69f00",
    fit="#f6f0a0",
    edge="#b3a6f2",
    trap="#ff7a45",
    warning="#f0b83c",
    positive="#ff9d4d",
    negative="#56b4e9",
    selected="#24344a",
    runs=("#ff99d6", "#2cc295", "#d4f0f7", "#a99cf0"),
    layers=("#56b4e9", "#f0b83c", "#2cc295", "#b8c4d2", "#ff7a45", "#e1a8f0", "#ffff4d"),
    phases={"P": "#56b4e9", "G": "#2cc295", "A": "#ff7a45", "?": "#8f9bab", "·": "#93a0b0"},
    bands={"P": "#152636", "G": "#123027", "A": "#3a2117", "?": "#191e25", "·": "#10141a"},
    ramp=("#1b2d42", "#1d4268", "#245f96", "#3f8fd0", "#86c3f0", "#e2f2ff"),
    shade="#28323e",
)

LIGHT = Palette(
    name="grokscope-light",
    dark=False,
    background="#fbfbf8",
    panel="#eceee9",
    text="#1d242c",
    muted="#56616e",
    faint="#b4bbc2",
    accent="#0063a3",
    cursor="#000000",
    mark="#ad1f58",
    train="#5d6873",
    test="#985000",
    bars="#9db7d3",
    tail="#b86400",
    fit="#7a1f00",
    edge="#5a4bc0",
    trap="#b83600",
    warning="#955200",
    positive="#b83600",
    negative="#0063a3",
    selected="#d5e3f0",
    runs=("#ad1f58", "#0f5748", "#003d4c", "#5a4bc0"),
    layers=("#0063a3", "#985000", "#136c49", "#56616e", "#801a00", "#5a4bc0", "#6f462a"),
    phases={"P": "#0063a3", "G": "#00785a", "A": "#b83600", "?": "#5d6873", "·": "#56616e"},
    bands={"P": "#dcebf7", "G": "#d9f0e6", "A": "#fae0d3", "?": "#efefec", "·": "#fbfbf8"},
    ramp=("#e9eff4", "#c3d9ec", "#8fbbe0", "#4f92c8", "#1f66a0", "#0a3560"),
    shade="#e6e8e6",
)
