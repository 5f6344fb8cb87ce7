"""Two checkpoints or two runs side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from grokscope.analysis import Spectra
from grokscope.runfile import Run
from tests.app.conftest import STEPS
from tests.app.driving import LAST, app_on, pane_of, press, screen_of


async def test_a_mark_compares_two_checkpoints(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "g", "m")
        assert app.state.comparison is None
        await press(pilot, "G")
        text = screen_of(app)
        assert app.state.comparison is not None
        assert app.state.comparison.frame.step == 0
        assert "compared with step 0" in text
        assert text.count("Δ") == 3
        spectra = Spectra(Run.open(analysed_run))
        first, last = spectra.layer(0, "fc1"), spectra.layer(LAST, "fc1")
        assert first is not None
        assert last is not None
        assert f"{last.alpha - first.alpha:+.2f}" in text
        await press(pilot, "escape")
        assert app.state.mark is None
        assert "Δ" not in screen_of(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("runs", [1, 2])
async def test_a_comparison_covers_no_label_and_shows_every_layer(
    own_run: Path, size: tuple[int, int], runs: int
) -> None:
    app = app_on(*[own_run] * runs)
    async with app.run_test(size=size) as pilot:
        await press(pilot, *(["m", "left", "left"] if runs == 1 else ["left"]))
        text = screen_of(app)
        titles = next(line for line in text.split("\n") if line.startswith("  layer "))
        assert all(title.isalnum() or title in "α ± σ λ₊ σ_mp ‖W‖ |w| [95 %]" for title in titles.split())
        assert text.count("Δ") == 3
        plots = text[text.index("ESD fc1") :].partition("\n")[2]
        assert "xmin" in plots
        assert "λ₊" in plots
        pane = pane_of(app, "table")
        assert all(line.strip() for line in text.split("\n")[pane.row : pane.row + pane.height]), (
            "no row stays blank"
        )


async def test_the_rows_of_differences_hold_no_plain_values(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(200, 60)) as pilot:
        await press(pilot, "g", "m", "G")
        rows = [line for line in screen_of(app).split("\n") if line.startswith("    Δ")]
        assert len(rows) == 3
        for row in rows:
            for word in re.split(r" {2,}| (?=[+-])", row.strip())[1:]:
                assert word[0] in "+-≠–", row


async def test_two_runs_share_a_timeline_and_a_cursor(analysed_run: Path, story: Callable[..., Path]) -> None:
    other = story(8, "shorter.h5", seed=1)
    app = app_on(analysed_run, other)
    async with app.run_test(size=(120, 40)) as pilot:
        assert app.state.comparison is not None
        assert app.state.comparison.name == "shorter.h5 at 1,000"
        assert "test shorter.h5" in screen_of(app)
        await press(pilot, "g", "l", "l")
        assert app.state.comparison.frame.step == STEPS[2]
        await press(pilot, "o")
        assert app.session.run.path == other
        assert app.state.frame is not None
        assert app.state.frame.step == STEPS[2]
