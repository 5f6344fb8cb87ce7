"""Pictures of weights in half blocks, and the direction that they show."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from grokscope.app.artist import Artist, leading_direction
from grokscope.app.plots.canvas import Canvas
from grokscope.app.plots.picture import image_side, picture
from grokscope.figures.colors import DARK
from grokscope.runfile import LayerSpec, Run, RunWriter
from tests.waiting import wait_until


@pytest.mark.parametrize(("inputs", "side"), [(784, 28), (64, 8), (200, None), (4, None), (0, None)])
def test_only_square_inputs_are_pictures(inputs: int, side: int | None) -> None:
    assert image_side(inputs) == side


def test_a_picture_shows_two_pixels_a_cell_and_the_largest_in_full_colour() -> None:
    values = np.zeros((8, 8))
    values[0, 0], values[7, 7] = 2.0, -2.0
    canvas = picture(values, DARK)
    assert (canvas.width, canvas.height) == (8, 4)
    halves = halves_of(canvas)
    assert (halves[0][0], halves[7][7], halves[2][1]) == (DARK.positive, DARK.negative, DARK.panel)


def test_a_picture_of_nothing_known_is_as_large_and_blank() -> None:
    canvas = picture(np.full((8, 8), np.nan), DARK)
    assert canvas.characters == [[" "] * 8] * 4
    assert canvas.looks == Canvas(8, 4).looks
    values = np.full((8, 8), np.nan)
    values[3, 4] = -1.0
    assert halves_of(picture(values, DARK))[3][3:6] == [DARK.background, DARK.negative, DARK.background]


def halves_of(canvas: Canvas) -> list[list[str | None]]:
    """The colours of the half cells of a picture, from the top."""
    halves: list[list[str | None]] = []
    for characters, looks in zip(canvas.characters, canvas.looks, strict=True):
        cells = list(zip(characters, looks, strict=True))
        halves.append([look[0] if sign in "▀█" else look[1] for sign, look in cells])
        halves.append([look[0] if sign in "▄█" else look[1] for sign, look in cells])
    return halves


@pytest.mark.parametrize("zoom", [1, 2])
def test_a_picture_of_noise_is_sent_in_few_pieces_and_shows_every_pixel(zoom: int) -> None:
    values = np.random.default_rng(0).normal(size=(28, 28))
    canvas = picture(values, DARK, zoom=zoom)
    halves = np.array(halves_of(canvas))
    shown = [values[halves[::zoom, ::zoom] == color] for color in set(halves.flat)]
    spans = sorted((seen.min(), seen.max()) for seen in shown)
    assert all(one[1] < next_[0] for one, next_ in pairwise(spans)), "a colour stands for one range of values"
    assert len(spans) > 4
    assert np.array_equal(halves, halves[::zoom, ::zoom].repeat(zoom, axis=0).repeat(zoom, axis=1))
    assert len(canvas.text().spans) < 0.8 * values.size / 2


@pytest.mark.parametrize("shape", [(20, 64), (64, 20), (30, 30)])
def test_the_leading_direction_is_numpys_first_right_singular_vector(shape: tuple[int, int]) -> None:
    weight = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    kept = weight.copy()
    found = leading_direction(weight)
    expected = np.linalg.svd(weight.astype(np.float64))[2][0]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)
    assert found[np.argmax(np.abs(found))] > 0
    np.testing.assert_array_equal(weight, kept)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_there_is_no_direction_where_there_is_no_finite_weight(value: float) -> None:
    assert np.isnan(leading_direction(np.full((4, 9), value))).all()


@pytest.fixture
def artist() -> Iterator[Artist]:
    """The thread that computes directions; nobody hears of them."""
    artist = Artist(lambda message: None)
    artist.start()
    yield artist
    artist.end()
    artist.join()


def test_a_file_that_another_run_replaces_has_the_direction_of_its_own_weight(
    tmp_path: Path, artist: Artist
) -> None:
    path, layers = tmp_path / "run.h5", [LayerSpec("fc1", (5, 4))]
    for seed in (1, 2):
        weight = np.random.default_rng(seed).normal(size=(5, 4))
        with RunWriter.create(
            path, steps=[0], layers=layers, metrics=[], config={}, origin="test", overwrite=True
        ) as writer:
            writer.commit(0, {"fc1": weight}, {"fc1": np.zeros(5)}, {})
        run = Run.open(path)
        wait_until(lambda run=run: artist.direction((0, 0, 0), run) is not None)  # type: ignore[misc]
        shown = artist.direction((0, 0, 0), run)
        assert shown is not None
        assert shown.vector == pytest.approx(leading_direction(weight), abs=1e-6)
