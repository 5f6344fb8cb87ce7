"""The first rows: which run, which step, which phase, how accurate; below it what is going on."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from grokscope.app.plots.canvas import fit, fit_middle
from grokscope.app.plots.timeline import NOT_KNOWN, NOT_OBSERVED
from grokscope.app.state import State
from grokscope.app.views.pieces import Piece, line
from grokscope.figures.colors import phase_letter
from grokscope.numbers import duration, number, percent_sign, whole

LIVE_WORDS = {
    "running": "● LIVE",
    "stalled": "◌ STALLED",
    "finished": "■ finished",
    "interrupted": "■ interrupted",
    "crashed": "✕ CRASHED",
}
STOPPED = ("stalled", "interrupted", "crashed")

NOTE_CELLS = 72
"""Of what is wrong, before anything else may stand beside it."""

DECIDING_CELLS = 37
"""Of the reasons: fewer would cut the words that decided."""


def header(state: State, width: int, height: int = 1) -> Text:
    """One line: name, step, checkpoint, phases, accuracies; what does not fit is left out whole."""
    palette, frame = state.palette, state.frame
    name = state.timeline.run
    if frame is None:
        waiting = Piece(("no checkpoints yet",), palette.muted, (8,))
        return line([Piece((name,), palette.text, (9,), bold=True), waiting, *_badge(state)], width)
    letter, said = phase_letter(frame.observed), phase_letter(frame.inferred)
    seen = NOT_OBSERVED.upper() if frame.observed == "unknown" else frame.observed.upper()
    verdict = NOT_KNOWN if frame.inferred == "unknown" else f"say {said} {frame.inferred}"
    ground = palette.background if palette.dark else "#ffffff"
    names = (name, fit_middle(name, 24), fit_middle(name, 14)) if cell_len(name) > 14 else (name,)
    phases = [
        Piece((f" {letter} {seen} ", f" {letter} "), ground, (10, 20), palette.phases[letter], True),
        Piece((f"weights {verdict}", f"weights {said}"), palette.phases[said], (1, 8)),
        *_accuracies(state),
    ]
    if frame.damaged:
        phases = [
            Piece(("DAMAGED: restore the file from a copy", "DAMAGED"), palette.warning, (10, 99), bold=True)
        ]
    pieces = [
        Piece(names, palette.text, (2, 5, 9)[-len(names) :], bold=True),
        Piece((f"step {whole(frame.step)}", whole(frame.step)), palette.cursor, (3, 99), bold=True),
        Piece((f"{frame.index + 1}/{frame.num_checkpoints}",), palette.muted, (6,)),
        *phases,
        *_badge(state),
    ]
    return line(pieces, width)


def _accuracies(state: State) -> list[Piece]:
    frame, palette = state.frame, state.palette
    if frame is None or frame.observed == "unknown":
        return []
    train, test = (percent_sign(frame.metric(f"{name}_accuracy")) for name in ("train", "test"))
    forms = [
        (f"{name} {value}", f"{name} {value.removesuffix(' %')}")
        for name, value in (("train", train), ("test", test))
    ]
    return [Piece(forms[0], palette.train, (0, 7)), Piece(forms[1], palette.test, (0, 12))]


def _badge(state: State) -> list[Piece]:
    if state.liveness is None or state.liveness.state not in {"running", *STOPPED}:
        return []
    words = LIVE_WORDS[state.liveness.state]
    color = state.palette.phases["G"] if state.liveness.state == "running" else state.palette.warning
    follow = " FOLLOW" if state.following else ""
    return [Piece((words + follow, words[:1] + follow), color, (4, 30), bold=True)]


def status(state: State, width: int, height: int = 1) -> Text:
    """One line: how training and analysis stand, what is compared, and why the weights' phase is what it is."""
    palette = state.palette
    pieces = [*_live_pieces(state)]
    if state.analysing is not None:
        done, total = state.analysing
        pieces.append(
            Piece((f"analysing {done:,} of {total:,} layers", f"analysing {done}/{total}"), palette.accent, (4, 8))
        )
    if note := state.problem or (state.analysis_note if state.analysing is None else ""):
        pieces.append(Piece((note, fit(note, width - 2)), palette.warning, (3, 9), least=NOTE_CELLS))
    if state.comparison is not None:
        name = state.comparison.name
        # A stroke in the colour of its curves: this is the legend of every plot.
        pieces.append(Piece((f"── compared with {name}", f"── with {name}"), palette.mark, (2, 7)))
    for caveat in state.caveats.get(state.front, ()):
        pieces.append(Piece((caveat,), palette.warning, (4,), least=DECIDING_CELLS))
    if state.frame is not None and state.frame.reasons:
        words = f"why {phase_letter(state.frame.inferred)}: {'; '.join(state.frame.reasons)}"
        pieces.append(Piece((words,), palette.muted, (3,), least=DECIDING_CELLS))
    return line(pieces, width)


def has_status(state: State) -> bool:
    """Whether there is something to say that cannot wait for a taller screen."""
    stands = None if state.liveness is None else state.liveness.state
    caveats = state.caveats.get(state.front, ())
    words = (state.problem, state.analysis_note, state.analysing, state.comparison, caveats)
    return state.live or stands in {"crashed", "interrupted"} or any(words)


def _live_pieces(state: State) -> list[Piece]:
    live, palette = state.liveness, state.palette
    if live is None or live.state == "static":
        return []
    color = palette.warning if live.state in STOPPED else palette.phases["G"]
    done = live.state == "finished"  # no news: it gives way to everything
    pieces = [Piece((LIVE_WORDS[live.state],), color, (1 if done else 6,))]
    if live.step >= 0:
        pieces.append(Piece((f"trainer at {whole(live.step)}",), palette.text, (0 if done else 5,)))
    if live.state == "running" and live.steps_per_second > 0:
        pieces.append(Piece((f"{number(live.steps_per_second)} steps/s",), palette.muted, (4,)))
        pieces.append(Piece((f"ETA {duration(live.eta_seconds)}",), palette.muted, (4,)))
    if live.state in STOPPED and live.seconds_since >= 0:
        pieces.append(Piece((f"last sign {duration(live.seconds_since)} ago",), palette.muted, (4,)))
    return pieces
