"""What stands on screen is what the spectra file holds, and what is not known is no verdict."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from grokscope.analysis import Spectra
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.app import actions
from grokscope.runfile import Run
from tests.app.conftest import GROKKING, PLANTED
from tests.app.driving import LAST, app_on, press, screen_of


async def test_the_numbers_on_screen_are_those_of_the_spectra_file(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    spectra = Spectra(Run.open(analysed_run))
    async with app.run_test(size=(120, 40)) as pilot:
        for index in (0, GROKKING, LAST):
            app.act(partial(actions.put_cursor, index=index))
            await pilot.pause()
            text = screen_of(app)
            for layer in ("fc1", "fc2", "fc3"):
                spectrum = spectra.layer(index, layer)
                assert spectrum is not None
                row = next(line for line in text.split("\n") if f" {layer} " in line and "ESD" not in line)
                assert f"{spectrum.alpha:,.2f} [{spectrum.alpha_low:.1f}, {spectrum.alpha_high:.1f}]" in row
                assert f" {spectrum.num_tail} " in row
                assert f"{spectrum.sigma_mp:.3f}" in row


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60)])
async def test_no_alpha_stands_without_its_interval_and_its_chance_under_noise(
    analysed_run: Path, size: tuple[int, int]
) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "G")
        text = screen_of(app)
        assert app.state.frame is not None
        for layer in app.state.frame.layers:
            assert layer.spectrum is not None
            one = layer.spectrum
            row = next(line for line in text.split("\n") if f" {layer.name} " in line and "ESD" not in line)
            assert f"{one.alpha:.2f} [{one.alpha_low:.1f}, {one.alpha_high:.1f}]" in row
            assert f" {one.alpha_p:.3f} " in row


async def test_phases_are_told_by_letter_and_word(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    async with app.run_test(size=(120, 40)) as pilot:
        for index, words in ((0, "P PRE-GROKKING"), (GROKKING, "G GROKKING"), (LAST, "A ANTI-GROKKING")):
            app.act(partial(actions.put_cursor, index=index))
            await pilot.pause()
            assert words in screen_of(app).split("\n")[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_is_not_analysed_is_no_verdict(story: Callable[..., Path], size: tuple[int, int]) -> None:
    app = app_on(story())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = screen_of(app)
        assert "weights│· not known" in text, "in the band"
        assert "undecided" not in text
        assert "?" not in text.split("\n")[0]
        assert {event.kind for event in app.state.timeline.events} == {"phase"}


async def test_traps_are_listed_with_their_cause_and_entries(analysed_run: Path) -> None:
    app = app_on(analysed_run)
    row, column, value = PLANTED
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "3")
        await app.settled()
        await pilot.pause()
        text = screen_of(app)
        assert "entries: a few large entries make it" in text
        assert f"W[{row},{column}]={value:+.3g}" in text
        assert "leading direction v₁ of W" in text
        assert "pixels of the trap's entries" in text
        await press(pilot, "down")
        assert "mean: the entries' mean is shifted" in screen_of(app)


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_weightwatcher_s_own_numbers_stand_beside_ours_where_there_are_any(
    own_run: Path, size: tuple[int, int]
) -> None:
    with SpectraWriter(Run.open(own_run)) as writer:
        writer.write_weightwatcher(LAST, "fc2", {"alpha": 2.345678, "D": 0.0625, "rand_num_spikes": 3.0})
    app = app_on(own_run)
    async with app.run_test(size=size) as pilot:
        await press(pilot, "2")
        assert "WeightWatcher" not in screen_of(app), "none for fc1"
        await press(pilot, "down")
        line = next(line for line in screen_of(app).split("\n") if "WeightWatcher" in line)
        assert "alpha 2.346  D 0.06250  rand_num_spikes 3" in line
        await press(pilot, "left")
        assert "WeightWatcher" not in screen_of(app), "none for another checkpoint"
        await press(pilot, "right", "1")
        assert "WeightWatcher" not in screen_of(app), "none in the overview"
