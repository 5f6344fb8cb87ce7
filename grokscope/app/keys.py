"""The one table of keys: bindings, footer, help, palette and the README are all made from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

VIEWS = ("overview", "spectrum", "traps", "trajectories", "heatmap", "spectrogram")


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

    @property
    def name(self) -> str:
        """The action without its argument."""
        return self.action.partition("(")[0]

    @property
    def arguments(self) -> tuple[int | str, ...]:
        """The action's argument, if it has one."""
        given = self.action.partition("(")[2].removesuffix(")")
        return (given.strip("'") if "'" in given else int(given),) if given else ()


KEYS: tuple[Key, ...] = (
    Key(("left", "h"), "← h", "move(-1)", "back", "one checkpoint back", "Time", "Previous checkpoint"),
    Key(("right", "l"), "→ l", "move(1)", "on", "one checkpoint on", "Time", "Next checkpoint"),
    Key(("shift+left", "H"), "⇧← H", "move(-10)", "back 10", "ten back", "Time", "Back ten checkpoints"),
    Key(("shift+right", "L"), "⇧→ L", "move(10)", "on 10", "ten on", "Time", "On ten checkpoints"),
    Key(("g",), "g", "first", "first", "first checkpoint", "Time", "First checkpoint"),
    Key(("G",), "G", "last", "last", "last one; follows a live run", "Time", "Last checkpoint"),
    Key(("left_square_bracket",), "[", "event(-1)", "event", "previous event", "Time", "Previous event"),
    Key(("right_square_bracket",), "]", "event(1)", "event", "next event (phase, trap)", "Time", "Next event"),
    Key(("colon",), ":", "ask('step')", "go to", "go to a step", "Time", "Go to a step"),
    Key(("space",), "space", "play", "play", "play, pause", "Time", "Play or pause"),
    Key(("f",), "f", "follow", "follow", "follow a live run", "Time", "Follow the live run"),
    Key(("up", "k"), "↑ k", "select(-1)", "layer", "previous layer", "Look", "Previous layer"),
    Key(("down", "j"), "↓ j", "select(1)", "layer", "next layer", "Look", "Next layer"),
    Key(("pageup",), "PgUp", "select(-10)", "layers", "ten layers back", "Look", "Ten layers back"),
    Key(("pagedown",), "PgDn", "select(10)", "layers", "ten layers on", "Look", "Ten layers on"),
    Key(("home",), "Home", "select(-9999)", "layers", "first layer", "Look", "First layer"),
    Key(("end",), "End", "select(9999)", "layers", "last layer", "Look", "Last layer"),
    Key(("slash",), "/", "ask('layers')", "filter", "only layers of some name", "Look", "Filter the layers"),
    Key(("s",), "s", "order", "sort", "sort: α, traps, norm, worst", "Look", "Sort the layers"),
    Key(("1",), "1", "view('overview')", "overview", "overview", "Look", "Overview"),
    Key(("2",), "2", "view('spectrum')", "spectrum", "spectrum", "Look", "Spectrum"),
    Key(("3",), "3", "view('traps')", "traps", "traps", "Look", "Traps"),
    Key(("4",), "4", "view('trajectories')", "trajectories", "trajectories", "Look", "Trajectories"),
    Key(("5",), "5", "view('heatmap')", "layers", "layers × steps", "Look", "Layers × steps"),
    Key(("6",), "6", "view('spectrogram')", "spectrogram", "spectrogram", "Look", "Spectrogram"),
    Key(("n",), "n", "measure(1)", "measure", "layers × steps: next measure", "Look", "Next measure"),
    Key(("N",), "N", "measure(-1)", "measure", "the measure before", "Look", "Previous measure"),
    Key(("enter",), "enter", "enter", "fill", "this pane alone; 5: spectrum", "Look", "This pane alone"),
    Key(("plus", "equals_sign"), "+ =", "zoom(1)", "zoom", "zoom in on time", "Look", "Zoom in on time"),
    Key(("minus",), "-", "zoom(-1)", "zoom", "zoom out", "Look", "Zoom out"),
    Key(("0",), "0", "zoom(0)", "zoom", "all of time", "Look", "All of time"),
    Key(("tab",), "tab", "pane(1)", "pane", "next pane", "Look", "Next pane"),
    Key(("shift+tab",), "⇧tab", "pane(-1)", "pane", "previous pane", "Look", "Previous pane"),
    Key(("x",), "x", "axis('x')", "x axis", "x axis: log, linear", "Look", "Log or linear x axis"),
    Key(("y",), "y", "axis('y')", "y axis", "y axis: log, linear", "Look", "Log or linear y axis"),
    Key(("p",), "p", "search", "D(xmin)", "D(xmin), how xmin was chosen", "Look", "Show D against xmin"),
    Key(("E",), "E", "sheet('events')", "events", "list of events", "Look", "List of events"),
    Key(("C",), "C", "sheet('checkpoints')", "list", "list of checkpoints", "Look", "List of checkpoints"),
    Key(("i",), "i", "explain", "what", "what a column or pane is", "Look", "Explain what is shown"),
    Key(("less_than_sign",), "<", "column(-1)", "column", "column before, explained", "Look", "Column before"),
    Key(("greater_than_sign",), ">", "column(1)", "column", "next column, explained", "Look", "Next column"),
    Key(("w",), "w", "sheet('why')", "why", "why: what the weights say", "Look", "Why the weights say so"),
    Key(("m",), "m", "mark", "mark", "mark, and compare with it", "Do", "Mark this checkpoint and compare"),
    Key(("o",), "o", "other_run", "other run", "other run to the front", "Do", "Other run to the front"),
    Key(("c",), "c", "copy", "copy", "copy the layer's row", "Do", "Copy the layer's row"),
    Key(("e",), "e", "export", "export", "export SVG and CSV", "Do", "Export this view as SVG and CSV"),
    Key(
        ("d",), "d", "python", "python", "print Python for this, quit", "Do", "Print Python for this view and quit"
    ),
    Key(("t",), "t", "theme", "theme", "dark, light", "Do", "Dark or light theme"),
    Key(("ctrl+p",), "ctrl+p", "command_palette", "palette", "all commands", "Do"),
    Key(("question_mark",), "?", "sheet('help')", "help", "this help", "Do", "Help"),
    Key(("escape",), "esc", "leave", "back", "one layer out", "Do", "One layer out"),
    Key(("q",), "q", "quit", "quit", "quit", "Do", "Quit"),
    Key(("ctrl+z",), "ctrl+z", "suspend_process", "suspend", "to the shell (fg returns)", "Do"),
)


@dataclass(frozen=True)
class Hint:
    """A word of the footer: the actions whose keys it stands for, and how much it is worth when room is short."""

    word: str
    actions: tuple[str, ...]
    keep: int


@dataclass(frozen=True)
class Situation:
    """What decides which keys matter now, and what they do.

    `mark` is "", "here" (the cursor stands on it) or "elsewhere"; `one_spectrum` that the overview has room for
    one of the two; `single` that there is no time to move through; `listing` that the arrows walk through traps;
    `full` that one pane fills the screen; `many` that there are more layers than the table has room for.
    """

    view: str
    live: bool = False
    following: bool = False
    playing: bool = False
    mark: str = ""
    one_spectrum: bool = False
    single: bool = False
    listing: bool = False
    full: bool = False
    many: bool = False


_STEP = Hint("step", ("move(-1)", "move(1)"), 8)
_EVENT = Hint("event", ("event(-1)", "event(1)"), 4)
_LAYER = Hint("layer", ("select(-1)", "select(1)"), 7)
_VIEW = Hint("view", ("view('overview')", "view('spectrogram')"), 6)
_MEASURE = Hint("measure", ("measure(1)",), 6)
_OPEN = Hint("spectrum", ("enter",), 5)
_PANE = Hint("pane", ("pane(1)",), 5)
_AXES = Hint("axes", ("axis('x')", "axis('y')"), 3)
_SEARCH = Hint("D(xmin)", ("search",), 3)
_COMPARE = Hint("compare", ("mark",), 4)
_ORDER = Hint("sort", ("order",), 5)
_FILTER = Hint("filter", ("ask('layers')",), 5)
_WHY = Hint("why", ("sheet('why')",), 2)
_RUN = Hint("run", ("select(-1)", "select(1)"), 9)
_ALWAYS = (Hint("help", ("sheet('help')",), 20), Hint("quit", ("quit",), 20))

_HINTS: dict[str, tuple[Hint, ...]] = {
    "overview": (_STEP, _EVENT, _LAYER, _VIEW, _COMPARE, _WHY),
    "spectrum": (_STEP, _LAYER, _PANE, _AXES, _SEARCH, _WHY),
    "traps": (_STEP, _EVENT, _LAYER, _PANE, _VIEW, _WHY),
    "trajectories": (_STEP, _LAYER, _PANE, _AXES, _VIEW, _WHY),
    "heatmap": (_STEP, _EVENT, _LAYER, _MEASURE, _OPEN, _VIEW, _WHY),
    "spectrogram": (_STEP, _EVENT, _LAYER, _VIEW, _WHY),
    "runs": (_RUN, Hint("open", ("enter",), 8)),
}

IN_THE_LIST = ("select", "enter", "sheet", "theme", "command_palette", "suspend_process", "quit")
"""The actions that there are while the list of runs is shown."""


def by_name() -> dict[str, Key]:
    """The table by Textual's names of the keys."""
    return {name: key for key in KEYS for name in key.keys}


SHEET_KEYS: dict[str, int] = {
    **dict.fromkeys(("down", "j"), 1),
    **dict.fromkeys(("up", "k"), -1),
    **dict.fromkeys(("pagedown", "space"), 10),
    "pageup": -10,
    **dict.fromkeys(("home", "g"), -1000),
    **dict.fromkeys(("end", "G"), 1000),
}
"""How many rows a key moves an open sheet; every other key takes it away."""


def groups() -> dict[str, list[Key]]:
    """The table by group, in order, for the help."""
    found: dict[str, list[Key]] = {}
    for key in KEYS:
        found.setdefault(key.group, []).append(key)
    return found


def footer(now: Situation, width: int) -> list[tuple[str, str]]:
    """The keys that matter now, as (key, word): as many as fit with a cell before, between and after; help and
    quit always."""
    usual = [hint for hint in _HINTS[now.view] if not (now.single and hint in (_STEP, _EVENT, _COMPARE))]
    hints = [*(_as_it_is(hint, now) for hint in usual), *_now(now), *_ALWAYS]
    shown = {hint: (_keys_of(hint), hint.word) for hint in hints}
    while len(shown) > len(_ALWAYS) and sum(len(key) + len(word) + 3 for key, word in shown.values()) > width:
        del shown[min(shown, key=lambda hint: hint.keep)]
    return list(shown.values())


def _as_it_is(hint: Hint, now: Situation) -> Hint:
    """What a key does where that is something else than usual."""
    if hint is _LAYER and now.listing:
        return replace(hint, word="trap")
    if hint is _COMPARE and now.mark:
        return replace(hint, word="unmark" if now.mark == "here" else "mark here")
    return hint


def _now(now: Situation) -> list[Hint]:
    """What matters in this situation alone."""
    found = [_FILTER, _ORDER] if now.many and now.view == "overview" else []
    if now.view == "overview" and now.one_spectrum:
        found.append(Hint("spectra", _PANE.actions, 6))
    if now.full:
        found.append(Hint("all panes", ("leave",), 10))
    if now.playing:
        found.append(Hint("pause", ("play",), 9))
    elif now.live:
        found.append(Hint("unfollow" if now.following else "follow", ("follow",), 9))
    elif now.mark == "elsewhere":
        found.append(Hint("unmark", ("leave",), 5))
    return found


def _keys_of(hint: Hint) -> str:
    first = [next(key.shown.split()[0] for key in KEYS if key.action == action) for action in hint.actions]
    return "-".join(first) if all(key.isdigit() for key in first) else " ".join(first)


def markdown() -> str:
    """The table as Markdown, for the README."""
    lines = ["| Key | What it does |", "|---|---|"]
    for keys in groups().values():
        for key in keys:
            shown = " ".join(f"`{part}`" for part in key.shown.split())
            lines.append(f"| {shown} | {key.help} |")
    return "\n".join(lines) + "\n"
