"""The first rows: which run, which step, which phase, how accurate; below it what is going on."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from grokscope.app.keys import footer as footer_keys
from grokscope.app.plots.timeline import NOT_MEASURED, NOT_OBSERVED
from grokscope.app.state import State
from grokscope.app.text import duration, fit, number, percent, whole
from grokscope.app.theme import phase_letter

LIVE_WORDS = {
    "running": "● LIVE",
    "stalled": "◌ STALLED",
    "finished": "■ finished",
    "interrupted": "■ interrupted",
    "crashed": "✕ CRASHED",
}


@dataclass(frozen=True)
class Piece:
    """A part of a line in its forms, longest first, and how much each is worth keeping when room is short."""

    forms: tuple[str, ...]
    color: str
    keep: tuple[int, ...]
    background: str | None = None
    bold: bool = False


def header(state: State, width: int) -> Text:
    """One line: name, step, checkpoint, phases, accuracies; what does not fit is left out whole."""
    palette, frame = state.palette, state.frame
    name = state.timeline.run
    if frame is None:
        waiting = Piece(("no checkpoints yet",), palette.muted, (8,))
        return line([Piece((name,), palette.text, (9,), bold=True), waiting, *_badge(state)], width)
    letter, said = phase_letter(frame.observed), phase_letter(frame.inferred)
    seen = NOT_OBSERVED.upper() if frame.observed == "unknown" else frame.observed.upper()
    verdict = NOT_MEASURED if frame.inferred == "unknown" else f"say {said} {frame.inferred}"
    ground = palette.background if palette.dark else "#ffffff"
    names = (name, fit(name, 24), fit(name, 14)) if cell_len(name) > 14 else (name,)
    pieces = [
        Piece(names, palette.text, (2, 5, 9)[-len(names) :], bold=True),
        Piece((f"step {whole(frame.step)}", whole(frame.step)), palette.cursor, (3, 99), bold=True),
        Piece((f"{frame.index + 1}/{frame.num_checkpoints}",), palette.muted, (6,)),
        Piece((f" {letter} {seen} ", f" {letter} "), ground, (10, 20), palette.phases[letter], True),
        Piece((f"weights {verdict}", f"weights {said}"), palette.phases[said], (1, 8)),
        *_accuracies(state),
        *_badge(state),
    ]
    return line(pieces, width)


def _accuracies(state: State) -> list[Piece]:
    frame, palette = state.frame, state.palette
    if frame is None or frame.observed == "unknown":
        return []
    train, test = percent(frame.metric("train_accuracy")), percent(frame.metric("test_accuracy"))
    return [Piece((f"train {train}",), palette.train, (7,)), Piece((f"test {test}",), palette.test, (12,))]


def _badge(state: State) -> list[Piece]:
    if state.liveness is None or state.liveness.state not in {"running", "stalled", "crashed"}:
        return []
    words = LIVE_WORDS[state.liveness.state]
    color = state.palette.phases["G"] if state.liveness.state == "running" else state.palette.warning
    follow = " FOLLOW" if state.following else ""
    return [Piece((words + follow, words[:1] + follow), color, (4, 30), bold=True)]


def status(state: State, width: int) -> Text:
    """One line: how training and analysis stand, what is compared, and why the weights' phase is what it is."""
    palette = state.palette
    pieces = [*_live_pieces(state)]
    if state.analysing is not None:
        done, total = state.analysing
        pieces.append(
            Piece((f"analysing {done:,} of {total:,} layers", f"analysing {done}/{total}"), palette.accent, (3, 8))
        )
    for note in (state.problem, state.analysis_note if state.analysing is None else ""):
        if note:
            pieces.append(Piece((note, fit(note, max(20, width // 2 - 2))), palette.warning, (4, 9)))
    if state.comparison is not None:
        pieces.append(Piece((f"compared with {state.comparison.name}",), palette.mark, (7,)))
    if state.frame is not None and state.frame.reasons:
        reasons = "; ".join(state.frame.reasons)
        letter = phase_letter(state.frame.inferred)
        used = sum(cell_len(piece.forms[-1]) + 2 for piece in pieces) + 16
        pieces.append(
            Piece(
                (f"why {letter}: {reasons}", f"why {letter}: {fit(reasons, max(20, width - used))}"),
                palette.muted,
                (1, 2),
            )
        )
    return line(pieces, width)


def has_status(state: State) -> bool:
    """Whether there is something to say that cannot wait for a taller screen."""
    stands = None if state.liveness is None else state.liveness.state
    words = (state.problem, state.analysis_note, state.analysing, state.comparison)
    return state.live or stands == "crashed" or any(words)


def _live_pieces(state: State) -> list[Piece]:
    live, palette = state.liveness, state.palette
    if live is None or live.state == "static":
        return []
    color = palette.phases["G"] if live.state == "running" else palette.warning
    pieces = [Piece((LIVE_WORDS[live.state],), color, (6,))]
    if live.step >= 0:
        pieces.append(Piece((f"trainer at {whole(live.step)}",), palette.text, (5,)))
    if live.state == "running" and live.steps_per_second > 0:
        pieces.append(Piece((f"{number(live.steps_per_second)} steps/s",), palette.muted, (4,)))
        pieces.append(Piece((f"ETA {duration(live.eta_seconds)}",), palette.muted, (4,)))
    if live.state in {"stalled", "crashed", "interrupted"} and live.seconds_since >= 0:
        pieces.append(Piece((f"last sign {duration(live.seconds_since)} ago",), palette.muted, (4,)))
    return pieces


def footer(state: State, width: int) -> Text:
    """The keys that matter now, from the table of keys."""
    palette = state.palette
    keys = footer_keys(state.view, live=state.live, playing=state.playing, marked=state.mark is not None)
    text = Text(no_wrap=True, end="")
    used = 0
    for key, word in keys:
        size = cell_len(key) + cell_len(word) + 3
        if used + size > width:
            break
        text.append(f" {key}", Style(color=palette.accent, bgcolor=palette.panel, bold=True))
        text.append(f" {word} ", Style(color=palette.muted, bgcolor=palette.panel))
        used += size
    text.append(" " * (width - used), Style(bgcolor=palette.panel))
    return text


def line(pieces: list[Piece], width: int) -> Text:
    """Lay pieces out two cells apart; what matters least is shortened, then left out, until the rest fits."""
    chosen = dict.fromkeys(range(len(pieces)), 0)
    while chosen and _length(pieces, chosen) > width - 2:
        least = min(chosen, key=lambda k: pieces[k].keep[chosen[k]])
        if chosen[least] + 1 < len(pieces[least].forms):
            chosen[least] += 1
        else:
            del chosen[least]
    text = Text(" ", no_wrap=True, end="")
    for place, (k, form) in enumerate(chosen.items()):
        piece = pieces[k]
        text.append("  " if place else "")
        text.append(piece.forms[form], Style(color=piece.color, bgcolor=piece.background, bold=piece.bold or None))
    return text


def _length(pieces: list[Piece], chosen: dict[int, int]) -> int:
    return sum(cell_len(pieces[k].forms[form]) for k, form in chosen.items()) + 2 * (len(chosen) - 1)
