"""The line that shows a training's progress fits the terminal, with room for an echoed ^C, and cuts no number."""

from __future__ import annotations

import pytest
from grokscope_train.progress import ProgressDisplay
from grokscope_train.step_line import StepLine
from rich.cells import cell_len
from rich.console import Console

PARTS = {
    "name": "mnist-wd0.h5",
    "steps": "9,417,201/10,000,000",
    "rate": "3,891 steps/s",
    "left": "42m45s left",
    "accuracies": "train 98.5  test 39.0",
}


def drawn(width: int, **parts: str) -> str:
    """The line as a terminal of some width shows it."""
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(StepLine({**PARTS, **parts}, 9_417_201, 10_000_000), end="")
    return capture.get()


@pytest.mark.parametrize("width", [50, 60, 79, 80, 81, 90, 99, 100, 120, 200])
@pytest.mark.parametrize("name", ["r.h5", "mnist-wd0.h5", "a-run-with-a-name-of-some-length.h5", "[red]運転.h5"])
def test_the_line_leaves_room_for_an_echo_and_is_whole(width: int, name: str) -> None:
    line = drawn(width, name=name)
    assert "\n" not in line
    assert cell_len(line) <= width - 4
    assert PARTS["steps"] in line
    assert line.endswith(PARTS["accuracies"])


def test_what_is_left_out_first_is_the_rate_and_then_the_bar() -> None:
    everything = drawn(120)
    assert "━━━━━━━━" in everything
    assert all(text in everything for text in PARTS.values())
    without_rate = drawn(96)
    assert "━━━━━━━━" in without_rate
    assert all(text in without_rate for text in PARTS.values() if text != PARTS["rate"])
    assert PARTS["rate"] not in without_rate
    assert drawn(80) == "mnist-wd0.h5  9,417,201/10,000,000  42m45s left  train 98.5  test 39.0"
    assert drawn(80, name="run.h5").startswith("run.h5  ━━━━━━━━")
    assert drawn(40).endswith("━  9,417,201/10,000,000")


def test_a_name_cannot_move_the_cursor_before_the_first_step_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.setenv(variable, "1")
    with ProgressDisplay(0, 10, "run\x1b]0;owned\x07.h5"):
        pass
    shown = capsys.readouterr().err
    assert "run·]0;owned·.h5" in shown
    assert "\x1b]" not in shown
