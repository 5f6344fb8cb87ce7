"""Fixtures of the spectral tests: WeightWatcher's own fit, and one folder of nulls for the whole session."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]


@pytest.fixture(scope="session")
def weightwatcher_fit() -> Callable[[Array], tuple[float, float, float, float]]:
    """(alpha, xmin, D, sigma) of WeightWatcher's WWFit on the eigenvalues above its threshold."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        powerlaw = pytest.importorskip("weightwatcher.WW_powerlaw")

    def fit(esd: Array) -> tuple[float, float, float, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            result = powerlaw.WWFit(esd[esd > 1e-5])
        return result.alpha, result.xmin, result.D, result.sigma

    return fit


@pytest.fixture(scope="session")
def reference_weights(reference_dir: Path) -> Callable[[int], dict[str, NDArray[np.float32]]]:
    """The weights of the checkpoint of the reference trajectory nearest to a step, by layer name."""
    safetensors = pytest.importorskip("safetensors.numpy")
    paths = {int(path.stem.removeprefix("step-")): path for path in reference_dir.glob("step-*.safetensors")}

    def load(step: int) -> dict[str, NDArray[np.float32]]:
        state = safetensors.load_file(paths[min(paths, key=lambda known: abs(known - step))])
        return {name.removesuffix(".weight"): value for name, value in state.items() if name.endswith(".weight")}

    return load


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_250_601)
