"""The lists that lie over the panes: events and checkpoints, from which enter goes to one."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

from grokscope.app.state import State
from grokscope.figures.colors import phase_letter
from grokscope.numbers import percent, whole

Row = tuple[int, str, str]
"""The index of a checkpoint, what its row says, and the colour of it."""


def rows_of(state: State) -> list[Row]:
    """The rows of the open list."""
    return _events(state) if state.sheet == "events" else _checkpoints(state)


def _events(state: State) -> list[Row]:
    palette = state.palette
    return [
        (
            event.index,
            f"{whole(event.step):>12}  {event.text}",
            palette.trap if event.kind == "trap" else palette.text,
        )
        for event in state.timeline.events
    ]


def _checkpoints(state: State) -> list[Row]:
    run, count = state.timeline, len(str(len(state.timeline.steps)))
    train, test = run.metric("train_accuracy"), run.metric("test_accuracy")
    found = []
    for index, step in enumerate(run.steps.tolist()):
        observed, said = run.observed[index], run.inferred[index]
        accuracies = f"train {percent(float(train[index])):>5}  test {percent(float(test[index])):>5}"
        words = f"{index + 1:>{count}}  {whole(step):>12}  {phase_letter(observed)} {observed:<13}  {accuracies}"
        found.append((index, f"{words}  weights {phase_letter(said)}", state.palette.phase(observed)))
    return found


def start_row(state: State) -> int:
    """The row of an opened list that stands nearest to the cursor, before it where there is one."""
    before = [place for place, (index, _, _) in enumerate(rows_of(state)) if index <= state.index]
    return before[-1] if before else 0


def list_text(state: State, width: int) -> Text:
    """The open list, a title above, its chosen row marked."""
    palette, rows = state.palette, rows_of(state)
    title = f"{len(rows)} {state.sheet if len(rows) != 1 else state.sheet[:-1]}"
    text = Text(end="", no_wrap=True)
    text.append(title.ljust(width - 20)[: width - 20], Style(color=palette.accent, bold=True))
    text.append("enter goes there esc", Style(color=palette.accent))
    for place, (_, words, color) in enumerate(rows):
        chosen = place == state.scroll
        text.append("\n" + ("▸ " if chosen else "  "), Style(color=palette.accent, bold=True))
        text.append(words[: width - 2], Style(color=palette.cursor if chosen else color, bold=chosen or None))
    return text
