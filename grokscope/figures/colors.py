"""The colour of each role, for a dark screen and for paper; hues after Okabe and Ito, told apart by every eye."""

from __future__ import annotations

SCREEN = {
    "train": "#8f9bab",
    "test": "#f0b83c",
    "bars": "#4f6f95",
    "tail": "#e69f00",
    "fit": "#f6f0a0",
    "edge": "#b3a6f2",
    "trap": "#ff7a45",
    "mark": "#ff8fc8",
    "warning": "#f0b83c",
    "faint": "#93a0b0",
    "reference": "#93a0b0",
    "text": "#dfe5ec",
    "pre-grokking": "#56b4e9",
    "grokking": "#2cc295",
    "anti-grokking": "#ff7a45",
    "undecided": "#8f9bab",
    "unknown": "#93a0b0",
}
SCREEN_SERIES = ("#56b4e9", "#f0b83c", "#2cc295", "#ff8fc8", "#ff7a45", "#a99cf0", "#f0e442")

PAPER = {
    "train": "#5d6873",
    "test": "#985000",
    "bars": "#9db7d3",
    "tail": "#d98a1f",
    "fit": "#7a1f00",
    "edge": "#5a4bc0",
    "trap": "#b83600",
    "mark": "#b02a72",
    "warning": "#955200",
    "faint": "#8a939c",
    "reference": "#56616e",
    "text": "#1d242c",
    "pre-grokking": "#0063a3",
    "grokking": "#00785a",
    "anti-grokking": "#b83600",
    "undecided": "#5d6873",
    "unknown": "#8a939c",
}
PAPER_SERIES = ("#0063a3", "#985000", "#00785a", "#b02a72", "#b83600", "#5a4bc0", "#7d6300")


def color_of(role: str, *, paper: bool) -> str:
    """The colour of a role as `#rrggbb`; numbered roles (layer0, run2) take the series' colours in turn."""
    named, series = (PAPER, PAPER_SERIES) if paper else (SCREEN, SCREEN_SERIES)
    number = role.removeprefix("layer").removeprefix("run")
    return series[int(number) % len(series)] if number.isdigit() else named[role]


RAMP = ("#2a1f5c", "#3b4f9a", "#2a7f8e", "#2fa37c", "#8fc04a", "#f2dc3a")
"""The colours of heat maps on a screen, from low to high: brighter is more, to every eye."""
