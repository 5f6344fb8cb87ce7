"""The one table of keys: bindings, footer, help, palette and the README are all made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import Binding

VIEWS = ("overview", "spectrum", "traps", "trajectories")


@dataclass(frozen=True)
class Key:
    """One action: the keys that do it (Textual's names), how they are written, and what it does in words."""

    keys: tuple[str, ...]
    shown: str
    action: str
    label: str
    help: str
    group: str
    palette: str = ""
    priority: bool = False


KEYS: tuple[Key, ...] = (
    Key(("left", "h"), "← h", "move(-1)", "back", "one checkpoint back", "Time", "Previous checkpoint"),
    Key(("right", "l"), "→ l", "move(1)", "on", "one checkpoint on", "Time", "Next checkpoint"),
    Key(("shift+left", "H"), "⇧← H", "move(-10)", "back 10", "ten back", "Time", "Back ten checkpoints"),
    Key(("shift+right", "L"), "⇧→ L", "move(10)", "on 10", "ten on", "Time", "On ten checkpoints"),
    Key(("g", "home"), "g Home", "first", "first", "first checkpoint", "Time", "First checkpoint"),
    Key(("G", "end"), "G End", "last", "last", "last one; follows a live run", "Time", "Last checkpoint"),
    Key(("left_square_bracket",), "[", "event(-1)", "event", "previous event", "Time", "Previous event"),
    Key(("right_square_bracket",), "]", "event(1)", "event", "next event (phase, trap)", "Time", "Next event"),
    Key(("colon",), ":", "go_to", "go to", "go to a step", "Time", "Go to a step"),
    Key(("space",), "space", "play", "play", "play, pause", "Time", "Play or pause"),
    Key(("f",), "f", "follow", "follow", "follow a live run", "Time", "Follow the live run"),
    Key(("up", "k"), "↑ k", "select(-1)", "layer", "previous layer", "Look", "Previous layer"),
    Key(("down", "j"), "↓ j", "select(1)", "layer", "next layer", "Look", "Next layer"),
    Key(("1",), "1", "view('overview')", "overview", "overview", "Look", "Overview"),
    Key(("2",), "2", "view('spectrum')", "spectrum", "spectrum", "Look", "Spectrum"),
    Key(("3",), "3", "view('traps')", "traps", "traps", "Look", "Traps"),
    Key(("4",), "4", "view('trajectories')", "trajectories", "trajectories", "Look", "Trajectories"),
    Key(("tab",), "tab", "pane(1)", "pane", "next pane", "Look", "Next pane", priority=True),
    Key(("shift+tab",), "⇧tab", "pane(-1)", "pane", "previous pane", "Look", "Previous pane", priority=True),
    Key(("x",), "x", "axis('x')", "x axis", "x axis: log, linear", "Look", "Log or linear x axis"),
    Key(("y",), "y", "axis('y')", "y axis", "y axis: log, linear", "Look", "Log or linear y axis"),
    Key(("p",), "p", "search", "D(xmin)", "D(xmin), how xmin was chosen", "Look", "Show D against xmin"),
    Key(("m",), "m", "mark", "mark", "mark, and compare with it", "Do", "Mark this checkpoint and compare"),
    Key(("o",), "o", "other_run", "other run", "other run to the front", "Do", "Other run to the front"),
    Key(("c",), "c", "copy", "copy", "copy the layer's row", "Do", "Copy the layer's row"),
    Key(("e",), "e", "export", "export", "export SVG and CSV", "Do", "Export this view as SVG and CSV"),
    Key(
        ("d",), "d", "python", "python", "print Python for this, quit", "Do", "Print Python for this view and quit"
    ),
    Key(("t",), "t", "theme", "theme", "dark, light", "Do", "Dark or light theme"),
    Key(("ctrl+p",), "ctrl+p", "command_palette", "palette", "all commands", "Do"),
    Key(("question_mark",), "?", "help", "help", "this help", "Do", "Help"),
    Key(("escape",), "esc", "leave", "back", "one layer out", "Do", "One layer out"),
    Key(("q",), "q", "quit", "quit", "quit", "Do", "Quit"),
    Key(("ctrl+z",), "ctrl+z", "suspend_process", "suspend", "to the shell (fg returns)", "Do"),
)

_FOOTER_WORDS: dict[str, tuple[str, ...]] = {
    "step": ("move(-1)", "move(1)"),
    "event": ("event(-1)", "event(1)"),
    "layer": ("select(-1)", "select(1)"),
    "view": ("view('overview')", "view('trajectories')"),
    "compare": ("mark",),
    "unmark": ("mark",),
    "pane": ("pane(1)",),
    "axes": ("axis('x')", "axis('y')"),
    "D(xmin)": ("search",),
    "pause": ("play",),
    "follow": ("follow",),
    "help": ("help",),
    "quit": ("quit",),
}
_FOOTERS: dict[str, tuple[str, ...]] = {
    "overview": ("step", "event", "layer", "view", "compare"),
    "spectrum": ("step", "layer", "pane", "axes", "D(xmin)"),
    "traps": ("step", "event", "layer", "pane", "view"),
    "trajectories": ("step", "layer", "pane", "axes", "view"),
}


def bindings() -> list[Binding]:
    """The table as Textual bindings; no key appears twice."""
    from textual.binding import Binding

    found = [Binding(",".join(key.keys), key.action, key.label, show=False, priority=key.priority) for key in KEYS]
    return [*found, Binding("ctrl+c", "quit", "quit", show=False, priority=True)]


def groups() -> dict[str, list[Key]]:
    """The table by group, in order, for the help."""
    found: dict[str, list[Key]] = {}
    for key in KEYS:
        found.setdefault(key.group, []).append(key)
    return found


def footer(view: str, *, live: bool, playing: bool, marked: bool) -> list[tuple[str, str]]:
    """The keys that matter now, at most seven, as (key, word)."""
    words = list(_FOOTERS[view])
    if playing:
        words[-1] = "pause"
    elif live:
        words[-1] = "follow"
    elif marked:
        words[-1] = "unmark"
    return [(_shown(_FOOTER_WORDS[word]), word) for word in (*words, "help", "quit")]


def _shown(actions: tuple[str, ...]) -> str:
    first = [next(key.shown.split()[0] for key in KEYS if key.action == action) for action in actions]
    return "-".join(first) if all(key.isdigit() for key in first) else " ".join(first)


def markdown() -> str:
    """The table as Markdown, for the README."""
    lines = ["| Key | What it does |", "|---|---|"]
    for keys in groups().values():
        for key in keys:
            shown = " ".join(f"`{part}`" for part in key.shown.split())
            lines.append(f"| {shown} | {key.help} |")
    return "\n".join(lines) + "\n"
