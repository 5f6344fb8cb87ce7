"""The last row: the keys that matter now, a question, a notice, or what the chosen column or pane is."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from grokscope.app.explanations import COLUMNS, explained
from grokscope.app.keys import Situation
from grokscope.app.keys import footer as footer_keys
from grokscope.app.layout import BESIDE
from grokscope.app.plots.canvas import fit
from grokscope.app.state import State
from grokscope.app.views.panels import panels
from grokscope.numbers import whole

PROMPTS = {
    "step": ("go to step", "0 to {last}; 500k and 2.2e5 will do; esc leaves"),
    "layers": ("layers /", "part of a name, or a pattern such as *.attn.*; esc has all"),
}
"""What is asked for in the last line, and how to answer."""

MANY_LAYERS = 6
"""More are filtered and sorted rather than read."""


def footer(state: State, width: int, height: int = 1) -> Text:
    """The keys that matter now, from the table of keys; a question with the answer so far, or a notice, if any."""
    palette = state.palette
    if state.prompt or state.notice:
        return _last_line(state, width)
    if state.explaining and not state.choosing:
        style = Style(color=palette.text, bgcolor=palette.panel)
        return Text(fit(f" {explained(topic(state))}", width), style, no_wrap=True, end="")
    text = Text(no_wrap=True, end="")
    used = 0
    for key, word in footer_keys(_situation(state, width), width):
        text.append(f" {key}", Style(color=palette.accent, bgcolor=palette.panel, bold=True))
        text.append(f" {word} ", Style(color=palette.muted, bgcolor=palette.panel))
        used += cell_len(key) + cell_len(word) + 3
    text.append(" " * (width - used), Style(bgcolor=palette.panel))
    return text


def topic(state: State) -> str:
    """What is explained: the chosen column of the table, or the pane of another view."""
    if state.view == "trajectories":
        found = panels(state)
        panel = found[state.pane % len(found)]
        return panel if isinstance(panel, str) else panel.title
    if state.view == "spectrum":
        return ("ESD", "randomised")[state.pane % 2]
    topics = [*COLUMNS, "ESD", "randomised", "observed", "weights"]
    return topics[state.column % len(topics)] if state.view == "overview" else state.view


def _last_line(state: State, width: int) -> Text:
    palette, text = state.palette, Text(no_wrap=True, end="")
    if not state.prompt:
        return text.append(fit(f" {state.notice}", width), Style(color=palette.warning, bgcolor=palette.panel))
    question, help_ = PROMPTS[state.prompt]
    hint = help_.format(last=whole(float(state.timeline.steps[-1])))
    text.append(f" {question} ", Style(color=palette.accent, bgcolor=palette.panel, bold=True))
    text.append(state.typed, Style(color=palette.text, bgcolor=palette.panel, bold=True))
    text.append("▏", Style(color=palette.cursor, bgcolor=palette.panel))
    room = width - cell_len(text.plain)
    return text.append(fit(f"  {hint}", room), Style(color=palette.muted, bgcolor=palette.panel))


def _situation(state: State, width: int) -> Situation:
    return Situation(
        state.view,
        live=state.live,
        following=state.following,
        playing=state.playing,
        mark="" if state.mark is None else "here" if state.mark == state.index else "elsewhere",
        one_spectrum=width < BESIDE,
        single=state.timeline.single,
        listing=state.listing,
        full=state.full,
        many=state.timeline.single or len(state.timeline.layers) > MANY_LAYERS,
    )
