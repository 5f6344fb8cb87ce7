"""A model without a history opens as its layers over depth, the ones that look worst first."""

from __future__ import annotations

from pathlib import Path

import pytest

from grokscope.analysis import Parameters, analyze
from grokscope.app.app import Microscope
from grokscope.app.screenshot import take
from grokscope.app.session import Session
from grokscope.trajectory import open_trajectory
from tests.app.driving import press, screen_of
from tests.app.svg_picture import read
from tests.trajectory.models import HEAVY, tiny_gpt2
from tests.trajectory.test_layouts import safetensors

SIZE = (110, 34)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real GPT-2, analysed."""
    folder = tiny_gpt2(tmp_path_factory.mktemp("model") / "tiny")
    analyze(open_trajectory(folder), parameters=Parameters(permutations=3, null_draws=200))
    return folder


def shown(screen: str) -> list[str]:
    """The layers of the table, from top to bottom."""
    rows = [line[2:].split() for line in screen.split("\n") if line[:2] in ("▸ ", "  ") and "×" in line]
    return [row[0].lstrip("…") for row in rows if row]


async def test_the_overview_of_a_model_is_its_layer_profile(model: Path) -> None:
    """Worst first, then by depth; the arrows walk through the rows, and a click on the profile chooses a layer."""
    app = Microscope([Session.open(model)], analysis=False, watching=False)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        assert "α of each layer" in screen
        assert "weights not known" in screen
        assert "one checkpoint alone has no history" in screen
        worst = app.state.frame.worst_first  # type: ignore[union-attr]
        assert HEAVY.endswith(shown(screen)[0])
        assert app.state.layer == worst[0]
        await press(pilot, "down")
        assert app.state.layer == worst[1]
        await press(pilot, "x")
        assert "by depth" in screen_of(app)
        assert app.state.rows == tuple(range(len(app.state.timeline.layers)))
        await press(pilot, "x")
        assert app.state.rows == worst
        await pilot.click(offset=(SIZE[0] - 1, 6))
        assert app.state.layer == worst[-1]


async def test_notes_on_a_layer_stand_beside_it(model: Path) -> None:
    """What the reader of a checkpoint did to a layer is said where its verdict is."""
    app = Microscope([Session.open(model)], analysis=False, watching=False)
    async with app.run_test(size=(160, 34)) as pilot:
        await pilot.pause()
        names = list(app.state.timeline.layers)
        while not app.state.frame.layers[app.state.layer].note:  # type: ignore[union-attr]
            await press(pilot, "down")
        layer = app.state.frame.layers[app.state.layer]  # type: ignore[union-attr]
        assert layer.name in names
        assert layer.note[:12] in screen_of(app)


def test_equal_checkpoints_and_what_is_left_out_are_said_on_screen(tmp_path: Path) -> None:
    """In the status line, and in full beside the reasons of the verdict (`w`)."""
    for step, value in ((1, 5), (2, 6), (3, 5)):
        safetensors(tmp_path / "in" / f"step{step}.safetensors", value)
    (tmp_path / "in" / "step4.safetensors").write_bytes(b"torn")
    opened = [open_trajectory(tmp_path / "in")]
    for keys in ((), ("w",)):
        take(opened, tmp_path / "x.svg", 160, 34, keys)
        screen = " ".join("\n".join(read((tmp_path / "x.svg").read_text()).lines(160)).split())
        assert "the same weights at steps 1 and 3" in screen
        assert "left out: step4" in screen


async def test_the_watcher_says_so_while_the_app_runs(tmp_path: Path) -> None:
    for step in (1, 2):
        safetensors(tmp_path / "in" / f"step{step}.safetensors", 5)
    app = Microscope([Session.open(tmp_path / "in")], analysis=False, watching=True)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(100):
            await pilot.pause(0.1)
            if app.state.caveats:
                break
        assert app.state.caveats == {0: ("the same weights at steps 1 and 2",)}
