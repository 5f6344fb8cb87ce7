"""The answer that is typed in the last line: a step to go to, or the names of the layers that are kept."""

from __future__ import annotations

from dataclasses import replace

from grokscope.app.actions import go_to_step, keep
from grokscope.app.state import State
from grokscope.steps import parse_step


def type_in(state: State, key: str, character: str | None) -> State:
    """A key typed into the answer: characters, backspace, enter and esc; the layers are those typed so far."""
    if key == "enter":
        return _answered(replace(state, prompt="", typed=""), state.prompt, state.typed)
    typed = state.typed
    if key in {"escape", "ctrl+u"}:
        typed = ""
    elif key == "backspace":
        typed = typed[:-1]
    elif character and character.isprintable():
        typed += character
    state = keep(state, typed) if state.prompt == "layers" else state
    return replace(state, typed=typed, prompt="" if key == "escape" else state.prompt)


def _answered(state: State, prompt: str, typed: str) -> State:
    if prompt == "step":
        step = parse_step(typed)
        if step is not None:
            return go_to_step(state, step)
        return (
            replace(state, notice=f"{typed} is no step; give a number such as 500000 or 500k") if typed else state
        )
    return state
