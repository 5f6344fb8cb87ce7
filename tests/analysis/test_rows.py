"""A spectrum survives its way into a row of the spectra file and back, whatever it holds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from grokscope.analysis.row_reader import RowReader, file_of
from grokscope.analysis.rows import from_row, num_eigenvalues, to_row
from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Extent
from grokscope.spectra import LayerSpectrum, analyze_layer


def planted() -> NDArray[np.float64]:
    """A Gaussian matrix with a few huge entries and a shifted mean."""
    weight = np.random.default_rng(0).normal(size=(40, 60)) + 1.0
    weight[[3, 5, 7], [2, 20, 30]] = [60, -50, 40]
    return weight


def test_rows_are_read_from_where_they_are_known_to_be_until_another_file_lies_there(tmp_path: Path) -> None:
    path, other = tmp_path / "rows", tmp_path / "other"
    path.write_bytes(bytes(8) + np.arange(6.0).tobytes())
    reader = RowReader(path, {file_of(path.stat()): {"x": Extent(8, (3, 2), np.dtype("<f8"))}})
    assert reader.rows(["x"], 1)["x"].tolist() == [2.0, 3.0]
    with h5py.File(other, "w") as file:
        file["x"] = np.full((3, 2), 9.0)
    other.replace(path)
    assert reader.rows(["x"], 1)["x"].tolist() == [9.0, 9.0]


@pytest.mark.parametrize(
    "weight",
    [
        planted(),
        np.random.default_rng(1).normal(size=(12, 80)),
        np.zeros((20, 20)),
        np.full((20, 20), np.nan),
        np.ones((3, 4)),
    ],
)
def test_round_trip(weight: NDArray[np.float64]) -> None:
    spectrum = analyze_layer(weight, "fc1", step=3, permutations=3, null_draws=50)
    row = {key: np.asarray(value) for key, value in to_row(spectrum, min(weight.shape)).items()}
    back = from_row("fc1", spectrum.shape, row)
    for field in fields(LayerSpectrum):
        before, after = getattr(spectrum, field.name), getattr(back, field.name)
        if field.name == "traps":
            assert repr(before) == repr(after)  # NaN in a trap equals NaN
        elif isinstance(before, (float, np.ndarray)):
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after


def test_what_a_row_derives_is_counted_from_the_spectrum() -> None:
    spectrum = analyze_layer(planted(), "fc1", step=3, permutations=3, null_draws=50)
    row = to_row(spectrum, 40)
    assert row["num_entry_traps"] == sum("entries" in trap.cause for trap in spectrum.traps) > 0
    noise = np.random.default_rng(2).normal(size=(40, 60))
    structured = np.outer(np.arange(40.0), np.arange(60.0) - 30) / 50 + noise
    assert to_row(analyze_layer(structured, "fc1", step=0, permutations=3, null_draws=50), 40)["num_signal"] == 1


def test_dominance_is_the_largest_eigenvalue_over_the_marchenko_pastur_edge() -> None:
    weight = np.random.default_rng(4).normal(size=(100, 100)) + np.outer(np.ones(100), np.tile([0.6, -0.6], 50))
    edge = weight.var() * (10 + 10) ** 2  # the edge of a trap lies a tenth higher
    row = to_row(analyze_layer(weight, "fc1", step=0, permutations=3), 100)
    assert row["dominance"] == pytest.approx(np.linalg.norm(weight, 2) ** 2 / edge, rel=0.04)


@pytest.mark.parametrize("shape", [(32, 64), (10, 200), (100, 100)])
def test_noise_has_no_signal(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    noise = (rng.normal(size=shape) for _ in range(200))
    spectra = [analyze_layer(weight, "fc1", step=0, permutations=1, null_draws=2000) for weight in noise]
    assert sum(to_row(spectrum, min(shape))["num_signal"] != 0 for spectrum in spectra) <= 4


@pytest.mark.parametrize(
    ("shape", "count"), [((200, 784), 200), ((8, 3, 3, 3), 8), ((64, 2, 3, 3), 18), ((5,), 0), ((0, 4), 0)]
)
def test_number_of_eigenvalues(shape: tuple[int, ...], count: int) -> None:
    assert num_eigenvalues(LayerSpec("any", shape)) == count
