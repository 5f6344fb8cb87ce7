"""WeightWatcher's own columns beside ours, so that a doubter sees both.

The real `WeightWatcher.analyze(randomize=True, mp_fit=True)` runs on a model that holds the checkpoint's weights
in float64. It fits with global randomness, prints, and takes seconds a checkpoint: hence only on demand.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.spectra_file import Spectra
from grokscope.analysis.spectra_layout import layer_position, open_file
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.analysis.weightwatcher_names import COLUMNS
from grokscope.errors import MissingPackage
from grokscope.runfile import LayerSpec
from grokscope.spectra.layer import LARGEST_MAGNITUDE
from grokscope.trajectory import Trajectory, find_damaged

if TYPE_CHECKING:
    import pandas

MODULES = ("linear", "conv")

Layers = dict[str, NDArray[np.float64]]


def run_weightwatcher(run: Trajectory, on_done: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Run WeightWatcher on every measured checkpoint that it has not seen; the spectra file keeps its columns.

    Damaged checkpoints are left out. Raises MissingPackage where WeightWatcher is not installed.
    """
    require_weightwatcher()
    with SpectraWriter(run) as writer:
        waiting = _waiting(Spectra(run))
        on_done(0, len(waiting))
        for done, index in enumerate(waiting, start=1):
            weights = {layer.name: run.weight(index, layer.name).astype(np.float64) for layer in run.layers}
            table = weightwatcher_table(weights, run.layers, seed=int(run.steps[index]))
            for name, columns in table.items():
                writer.write_weightwatcher(index, name, columns)
            on_done(done, len(waiting))


def require_weightwatcher() -> None:
    """Raise MissingPackage where WeightWatcher, or the torch that it works on, is not installed."""
    if importlib.util.find_spec("weightwatcher") is None or importlib.util.find_spec("torch") is None:
        raise MissingPackage("--weightwatcher needs WeightWatcher", "train")


def weightwatcher_table(weights: Layers, layers: tuple[LayerSpec, ...], seed: int) -> dict[str, dict[str, float]]:
    """Return layer → {column: value} as WeightWatcher reports it for these weights; NaN where it has none.

    Layers that WeightWatcher skips are left out, and those with NaN, Inf or huge entries, on which it fails.
    `seed` sets numpy's global state for its shuffles, and no longer.
    """
    measured = [
        layer
        for layer in layers
        if layer.kind in MODULES and np.abs(weights[layer.name]).max() <= LARGEST_MAGNITUDE  # False for NaN
    ]
    if not measured:
        return {}
    with _quiet(), _global_seed(seed):
        import weightwatcher

        logging.getLogger("weightwatcher").setLevel(logging.ERROR)
        model = _model(weights, measured)
        details = weightwatcher.WeightWatcher(model=model).analyze(randomize=True, mp_fit=True)
    return {measured[int(row["name"])].name: _columns(row) for _, row in details.iterrows()}


def weightwatcher_columns(spectra: Spectra, name: str) -> dict[str, NDArray[np.float64]]:
    """Return column → float64 [n] of a layer over the checkpoints; empty where WeightWatcher has not been run.

    What it said of other weights, which a checkpoint had before it was replaced, is NaN.
    """
    if spectra.path is None:
        return {}
    done = spectra.done[:, layer_position(spectra.run, name)]
    columns = {column: np.full(len(done), np.nan) for column in COLUMNS}
    with open_file(spectra.path) as file:
        for column, values in columns.items():
            stored = np.asarray(file[f"weightwatcher/{name}/{column}"][: len(done)])
            values[: len(stored)] = np.where(done[: len(stored)], stored, np.nan)
    return columns if any(np.isfinite(values).any() for values in columns.values()) else {}


def _waiting(spectra: Spectra) -> list[int]:
    """List the checkpoints that are whole and measured, and of whose layers WeightWatcher has said nothing yet."""
    waiting = spectra.done.all(axis=1)
    for layer in spectra.run.layers:
        for values in weightwatcher_columns(spectra, layer.name).values():
            waiting &= ~np.isfinite(values)
    chosen = np.flatnonzero(waiting).tolist()
    damaged = find_damaged(spectra.run, chosen)
    return [index for index in chosen if index not in damaged]


def _columns(row: pandas.Series[Any]) -> dict[str, float]:
    columns = {}
    for column in COLUMNS:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            columns[column] = float(row[column])
    if columns.get("alpha", 0.0) <= 0:  # WeightWatcher writes -1 for a failed fit
        columns["alpha"] = float("nan")
    return columns


def _model(weights: Layers, layers: Sequence[LayerSpec]) -> Any:
    import torch

    modules = []
    for layer in layers:
        weight = torch.from_numpy(weights[layer.name])
        if layer.kind == "linear":
            module: torch.nn.Module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        else:
            kinds: dict[int, Any] = {3: torch.nn.Conv1d, 4: torch.nn.Conv2d, 5: torch.nn.Conv3d}
            out, channels, *kernel = weight.shape
            module = kinds[weight.ndim](channels, out, tuple(kernel), bias=False)
        module.weight = torch.nn.Parameter(weight)
        modules.append(module)
    return torch.nn.Sequential(*modules)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the terminal clean: WeightWatcher prints and warns, on import and while fitting."""
    nowhere = io.StringIO()
    with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """WeightWatcher shuffles with numpy's global state: seed it, and put it back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
