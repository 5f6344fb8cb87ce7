"""The mouse: it scrubs the timeline and chooses layers and traps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual import events
from textual.pilot import Pilot

from grokscope.app.app import Microscope
from grokscope.runfile import LayerSpec, RunWriter
from tests.app.driving import LAST, app_on, pane_of, press, screen_of, with_traps


async def test_the_mouse_scrubs_the_timeline(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await click(pilot, app, "timeline", 10, 4)
        await pilot.pause()
        assert app.state.index == 0
        await click(pilot, app, "timeline", 79, 4)
        await pilot.pause()
        assert app.state.index == LAST
        await pilot._post_mouse_events([events.MouseScrollUp], offset=(40, 3), button=0)
        await pilot.pause()
        assert app.state.index == LAST - 1


async def click(pilot: Pilot[str], app: Microscope, name: str, column: int, row: int) -> None:
    """Click at a cell of a pane."""
    pane = pane_of(app, name)
    await pilot.click(offset=(pane.column + column, pane.row + row))
    await pilot.pause()


def row_of(app: Microscope, name: str, words: str) -> int:
    """The row of a pane, counted from its top, that has the words."""
    pane = pane_of(app, name)
    lines = screen_of(app).split("\n")[pane.row : pane.row + pane.height]
    return next(row for row, line in enumerate(lines) if words in line)


@pytest.mark.parametrize(("layer", "number"), [("fc1", 0), ("fc2", 1), ("fc3", 2)])
@pytest.mark.parametrize("keys", ["k", "down down", "g m G"], ids=["plain", "another selected", "compared"])
async def test_a_click_on_a_row_selects_its_layer(analysed_run: Path, layer: str, number: int, keys: str) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, *keys.split())
        await click(pilot, app, "table", 40, row_of(app, "table", f" {layer} "))
        await pilot.pause()
        assert app.state.layer == number
        assert f"ESD {layer}" in screen_of(app)
        await click(pilot, app, "table", 40, 0)
        await pilot.pause()
        assert app.state.layer == number, "the titles are no layer"


async def test_a_click_selects_a_layer_of_a_table_that_is_scrolled(tmp_path: Path) -> None:
    layers = tuple(LayerSpec(f"block{k}", (8, 8)) for k in range(30))
    with RunWriter.create(
        tmp_path / "deep.h5", steps=[0], layers=layers, metrics=[], config={}, origin="test"
    ) as writer:
        weights = {layer.name: np.eye(8) for layer in layers}
        writer.commit(0, weights, {layer.name: np.zeros(8) for layer in layers}, {})
    app = app_on(tmp_path / "deep.h5")
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *["down"] * 20)
        row = row_of(app, "table", "block18")
        await click(pilot, app, "table", 5, row)
        await pilot.pause()
        assert app.state.layer == 18


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("chosen", [0, 29])
async def test_a_click_on_a_row_selects_its_trap(analysed_run: Path, size: tuple[int, int], chosen: int) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "3")
        await app.settled()
        app.put(replace(with_traps(app.state, 30), trap=chosen))
        await pilot.pause()
        lines = screen_of(app).split("\n")[pane_of(app, "traps").row :]
        rows = {int(line.split()[0]) - 1: row for row, line in enumerate(lines) if line[:4].strip().isdigit()}
        assert chosen in rows
        assert len(rows) >= 3
        beside = [(size[0] - 1, min(rows.values()))] if size[0] > 60 else []
        assert (" v₁ of W" in lines[0]) is bool(beside), "pictures, where there is room"
        for outside in ((3, 1), (3, max(rows.values()) + 1), *beside):
            await click(pilot, app, "traps", *outside)
            await pilot.pause()
            assert (app.state.trap, app.state.pane) == (chosen, 0)
        clicked = max(rows) if chosen == 0 else min(rows)
        await click(pilot, app, "traps", 3, rows[clicked])
        await pilot.pause()
        assert app.state.trap == clicked
        await press(pilot, "up" if chosen == 0 else "down")
        assert app.state.trap == clicked + (1 if chosen else -1), "the keys act on the list from the click on"
