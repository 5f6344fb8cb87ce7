"""What the first lines, the last line and the sheets say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grokscope.analysis import Parameters, analyze
from grokscope.app.app import Microscope
from grokscope.app.state import Comparison, State
from grokscope.app.views.header import status
from grokscope.phases.inferred import RULE
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.liveness import Liveness
from tests.app.driving import LAST, app_on, press, screen_of


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60)])
async def test_one_key_shows_every_reason_whole(analysed_run: Path, size: tuple[int, int]) -> None:
    reasons = ("one sign of collapse, not two", "one direction dominates while the norm grows: fc1 10.2, fc2 24.4")
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        assert app.state.frame is not None
        app.put(replace(app.state, frame=replace(app.state.frame, reasons=reasons)))
        await press(pilot, "w")
        assert all(reason in words_of(app) for reason in reasons)
        await press(pilot, "end")
        assert RULE.split()[-1] in words_of(app), "the end of the rule, where it takes more than the screen"
        await press(pilot, "w")
        assert RULE.split()[-1] not in words_of(app)


def words_of(app: Microscope) -> str:
    """What the screen says, without the ends of its lines and the arrows of a sheet that scrolls."""
    return " ".join(screen_of(app).replace("▴", " ").replace("▾", " ").split())


async def test_a_help_taller_than_the_terminal_scrolls(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(60, 20)) as pilot:
        await press(pilot, "?")
        assert "median (range)" not in screen_of(app)
        await press(pilot, "down", "j", "end")
        await pilot.pause(0.5)
        assert "median (range)" in screen_of(app)
        assert app.state.index == LAST, "the keys are the sheet's"
        await press(pilot, "?")
        assert "ESD fc1" in screen_of(app)


def status_of(state: State, width: int) -> str:
    return status(state, width).plain


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("compared", [False, True])
def test_the_deciding_words_stand_in_the_status_line_whatever_else_there_is(
    analysed_run: Path, width: int, finished: bool, compared: bool
) -> None:
    state = app_on(analysed_run).state
    assert state.frame is not None
    reasons = (
        "one sign of collapse, not two",
        "one direction dominates while the norm grows: fc1 10.2 times the edge",
    )
    frame = replace(state.frame, reasons=reasons)
    state = replace(state, frame=frame)
    if finished:
        state = replace(state, liveness=Liveness("finished", 3_162_278, 0.0, 9e9, 0.0))
    if compared:
        state = replace(state, comparison=Comparison("mnist-wd001.h5 at 1,000,000", frame))
    words = status_of(state, width)
    assert len(words) <= width
    assert "why ?: one sign of collapse, not two" in words
    assert ("mnist-wd001.h5 at 1,000,000" in words) is compared


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
@pytest.mark.parametrize("stands", ["interrupted", "crashed", "stalled"])
async def test_a_run_that_does_not_move_shows_it(analysed_run: Path, size: tuple[int, int], stands: str) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        app.put(replace(app.state, liveness=Liveness(stands, 54_321, 0.0, 3700.0, float("nan"))))
        await pilot.pause()
        assert f"{stands}  trainer at 54,321  last sign 1h01m ago" in screen_of(app).split("\n")[1].replace(
            stands.upper(), stands
        )


def test_a_file_that_is_gone_is_said_once(analysed_run: Path) -> None:
    problem = "there is no file /home/somebody/runs/a/long/way/down/story.h5; `grokscope train -o …` makes one"
    state = replace(app_on(analysed_run).state, problem=problem, analysis_note=f"analysis: {problem}")
    words = status_of(state, 80)
    assert words.count("there is no file") == 1
    assert "/home/somebody/runs/a/long/way/down/" in words


async def test_a_layer_that_is_not_measured_says_why_and_its_shape_once(tmp_path: Path) -> None:
    layers = (LayerSpec("small", (4, 64)), LayerSpec("flat", (64,)))
    path = tmp_path / "odd.h5"
    with RunWriter.create(path, steps=[0], layers=layers, metrics=[], config={}, origin="test") as writer:
        weights = {layer.name: np.ones(layer.shape) for layer in layers}
        writer.commit(0, weights, {layer.name: np.zeros(layer.shape[0]) for layer in layers}, {})
    analyze(Run.open(path), parameters=Parameters(permutations=1, null_draws=100))
    app = app_on(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        rows = [line for line in screen_of(app).split("\n") if "not measured:" in line]
        assert rows[0].split("not measured: ")[0].split() == ["▸", "small"]
        assert "4 × 64: fewer than 8 eigenvalues" in rows[0]
        assert rows[1].split("not measured: ")[0].split() == ["flat", "64"]
        assert "nan" not in screen_of(app)
        await press(pilot, "4")
        assert "nan" not in screen_of(app)
