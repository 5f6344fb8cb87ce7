"""What the sheets say: the help with the keys and marks, and why the weights say what they say."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from grokscope.app.frame import Frame, Layer
from grokscope.app.keys import groups
from grokscope.app.layout import SMALLEST
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.timeline import NOT_KNOWN, NOT_OBSERVED
from grokscope.app.state import State
from grokscope.app.views.lists import list_text, rows_of
from grokscope.figures.colors import Palette, phase_letter
from grokscope.names import safe_name
from grokscope.numbers import whole
from grokscope.phases import NO_PHASE
from grokscope.phases.inferred import RULE

COLUMN = 38
"""Cells of a column of keys."""

TITLE = 8
LEGEND = (
    "phases  P pre-grokking  G grokking  A anti-grokking  ? undecided  · unknown",
    "time    observed: by accuracy  weights: by weights  obs. b: second run  "
    "◇ a phase begins  ▴ a layer's first trap  ▲ cursor  ◆ ╎ mark",
    "traps   m mean  e entries  b both  ? unexplained  1.5 (1–3): median (range)",
    "mouse   click: a layer, a checkpoint, a pane  drag: through time  wheel: on and back",
    "plots   ┊ xmin, xmax, λ₋, λ₊  ▲ trap, cause above  ◂9: nine further left",
)
"""Entries of parts two cells apart; the first TITLE cells of an entry say what it is about."""


def help_text(palette: Palette, width: int) -> Text:
    """The table of keys in two columns, or in one where two do not fit, and the legend."""
    keys = [*(key for name in groups() if name != "Look" for key in groups()[name]), *groups()["Look"]]
    rows = -(-len(keys) // 2) if width >= 2 * COLUMN - 1 else len(keys)
    legend = [line for entry in LEGEND for line in _wrapped(entry, width)]
    canvas = Canvas(width, 1 + rows + len(legend))
    canvas.put(0, 0, "grokscope", palette.accent, bold=True)
    canvas.put(0, 11, "all panes show the checkpoint at the cursor", palette.muted)
    canvas.put_right(0, width, " esc", palette.accent)
    for place, key in enumerate(keys):
        column, row = place // rows * COLUMN, 1 + place % rows
        canvas.put(row, column, key.shown, palette.accent, bold=True)
        canvas.put(row, column + 9, key.help, palette.text)
    for row, line in enumerate(legend, 1 + rows):
        canvas.put(row, 0, line, palette.muted)
    return canvas.text()


def _wrapped(entry: str, width: int) -> list[str]:
    """An entry over several lines, its words below one another; a mark stays with what it means."""
    title, text = entry[:TITLE], entry[TITLE:]
    lines = [""]
    for part in text.split("  "):
        longer = f"{lines[-1]}  {part}".strip()
        if cell_len(longer) > width - len(title) and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    wrapped = [line for whole in lines for line in textwrap.wrap(whole, width - len(title), drop_whitespace=False)]
    return [(title if row == 0 else " " * len(title)) + line for row, line in enumerate(wrapped)]


def why_text(palette: Palette, frame: Frame, width: int, caveats: Sequence[str] = ()) -> Text:
    """The two verdicts on a checkpoint, the reasons of the weights' one, and the rule."""
    text = Text(end="")
    text.append(f"step {whole(frame.step)}".ljust(width - 3), Style(color=palette.cursor, bold=True))
    text.append("esc\n", Style(color=palette.accent))
    for who, phase, unknown in (
        ("accuracies say", frame.observed, NOT_OBSERVED),
        ("weights say", frame.inferred, NOT_KNOWN),
    ):
        text.append(f"{who:<16}", Style(color=palette.muted))
        word = unknown if phase == "unknown" else phase
        text.append(f"{phase_letter(phase)} {word}\n", Style(color=palette.phase(phase), bold=True))
    forgotten = (NO_PHASE,) * (frame.observed == "undecided")
    for reason in (*forgotten, *frame.reasons, *caveats):
        lines = textwrap.wrap(safe_name(reason), width, initial_indent="  • ", subsequent_indent="    ")
        text.append("\n".join(lines) + "\n", Style(color=palette.text))
    text.append("\n" + "\n".join(textwrap.wrap(f"The rule: {RULE}", width)), Style(color=palette.muted))
    return text


def _why_undecided(layer: Layer | None) -> tuple[str, ...]:
    """Why the selected layer's alpha decides nothing, where it does not."""
    spectrum = None if layer is None else layer.spectrum
    if layer is None or spectrum is None or not spectrum.why_undecided:
        return ()
    return (f"{layer.name}'s α is {spectrum.verdict}: {spectrum.why_undecided}",)


LISTS = ("events", "checkpoints")
"""The sheets with a row to choose."""

SHEET_WIDTH = 78
"""Cells of a sheet at most, with one on either side of its text and one for the mark that it goes on."""


def _written(state: State, width: int) -> Text:
    """The text of the open sheet for a width."""
    if state.sheet == "why" and state.frame is not None:
        caveats = state.caveats.get(state.front, ())
        return why_text(state.palette, state.frame, width, (*_why_undecided(state.selected), *caveats))
    if state.sheet in LISTS:
        return list_text(state, width)
    return help_text(state.palette, width)


def sheet_size(state: State, width: int, height: int) -> tuple[int, int]:
    """Columns and rows of the open sheet on a screen of that size."""
    across = min(SHEET_WIDTH, width)
    return across, min(height, _written(state, across - 3).plain.count("\n") + 1)


def last_scroll(state: State) -> int:
    """The row from which the last one of the open sheet is seen, on the smallest screen; a list's last row."""
    if state.sheet in LISTS:
        return max(0, len(rows_of(state)) - 1)
    return max(0, _written(state, SMALLEST[0] - 3).plain.count("\n") + 2 - SMALLEST[1])


def draw_sheet(state: State, width: int, height: int) -> Text:
    """The open sheet from the row on to which it is scrolled, with an arrow where there is more."""
    palette = state.palette
    lines = _written(state, width - 3).split("\n", allow_blank=True)
    wanted = state.scroll - height // 2 if state.sheet in LISTS else state.scroll
    first = max(0, min(wanted, len(lines) - height))
    text = Text(no_wrap=True, end="")
    for row, line in enumerate(lines[first : first + height]):
        above, below = row == 0 and first > 0, row == height - 1 and first + height < len(lines)
        text.append("\n" if row else "").append(" ", Style(bgcolor=palette.panel))
        line.pad_right(max(0, width - 3 - line.cell_len))
        place = 0
        for span in line.spans:
            text.append(line.plain[place : span.start], Style(bgcolor=palette.panel))
            style = span.style if isinstance(span.style, Style) else Style.parse(span.style)
            text.append(line.plain[span.start : span.end], Style(bgcolor=palette.panel) + style)
            place = span.end
        text.append(line.plain[place:], Style(bgcolor=palette.panel))
        arrow = "▴" if above else "▾" if below else " "
        text.append(f" {arrow}", Style(color=palette.accent, bgcolor=palette.panel))
    return text
