"""What can be taken out of the app: the screen as SVG, its numbers as CSV, a row of text, and Python."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from grokscope.app.frame import Frame
from grokscope.app.state import State
from grokscope.app.views.panels import kind_of
from grokscope.app.views.table import row_values
from grokscope.figures import PANELS
from grokscope.files import with_a_name, write_result
from grokscope.names import safe_name
from grokscope.trajectory import Place, Trajectory

Row = Sequence[object]

TMUX_SECONDS = 2


def row_as_text(state: State) -> str:
    """The selected layer's row with its titles, tab separated."""
    if state.selected is None or state.frame is None:
        return ""
    values = {"run": state.frame.run, "step": str(state.frame.step)} | row_values(state.selected)
    return "\n".join("\t".join(map(safe_name, cells)) for cells in (values, values.values()))


def export(state: State, run: Path, svg: str) -> tuple[Path, Path]:
    """Write the screen and the view's numbers beside the run, or here where that folder is read-only."""
    run = with_a_name(run)
    folder = run.parent if os.access(run.parent, os.W_OK) else Path.cwd()
    step = "none" if state.frame is None else str(state.frame.step)
    stem = folder / f"{run.stem}-step{step}-{state.view}"
    picture, numbers = Path(f"{stem}.svg"), Path(f"{stem}.csv")
    table = io.StringIO(newline="")
    csv.writer(table).writerows(rows_of(state))
    write_result(picture, svg)
    write_result(numbers, table.getvalue())
    return picture.absolute(), numbers.absolute()


def rows_of(state: State) -> Iterable[Row]:
    """The view's numbers, titles first; unknown numbers are empty."""
    made = {
        "overview": _layers,
        "spectrum": _eigenvalues,
        "traps": _traps,
        "trajectories": _measures,
        "heatmap": _map,
        "spectrogram": _spectra,
    }[state.view]
    return [[_plain(value) for value in row] for row in made(state)]


def _plain(value: object) -> object:
    if isinstance(value, str):
        return safe_name(value)
    return "" if isinstance(value, float) and np.isnan(value) else value


def _layers(state: State) -> list[Row]:
    from grokscope.analysis.rows import NOT_PLAIN
    from grokscope.spectra.layer import LayerSpectrum

    names = [field.name for field in fields(LayerSpectrum) if field.name not in NOT_PLAIN]
    rows: list[Row] = [["run", "step", "layer", "shape", *names]]
    frames: list[Frame] = [frame for frame in (state.frame, state.comparison and state.comparison.frame) if frame]
    for frame in frames:
        for layer in frame.layers:
            values = ["" if layer.spectrum is None else getattr(layer.spectrum, name) for name in names]
            rows.append([frame.run, frame.step, layer.name, "x".join(map(str, layer.shape)), *values])
    return rows


def _eigenvalues(state: State) -> list[Row]:
    rows: list[Row] = [["run", "step", "layer", "number", "eigenvalue", "randomized_eigenvalue"]]
    layer, frame = state.selected, state.frame
    if layer is not None and layer.spectrum is not None and frame is not None:
        pairs = zip(layer.spectrum.esd, layer.spectrum.randomized_esd, strict=False)
        rows += [[frame.run, frame.step, layer.name, k, float(a), float(b)] for k, (a, b) in enumerate(pairs)]
    return rows


def _traps(state: State) -> list[Row]:
    titles = ("eigenvalue", "ratio", "z", "p", "cause", "predicted", "participation_left", "participation_right")
    rows: list[Row] = [["run", "step", "layer", "number", *titles, "entries"]]
    frame = state.frame
    for layer in () if frame is None else frame.layers:
        for number, trap in enumerate(() if layer.spectrum is None else layer.spectrum.traps, start=1):
            entries = "; ".join(f"W[{i},{j}]={value!r}" for i, j, value in trap.entries)
            values = [getattr(trap, title) for title in titles]
            rows.append([frame and frame.run, frame and frame.step, layer.name, number, *values, entries])
    return rows


def _measures(state: State) -> list[Row]:
    timeline = state.timeline
    measured = (
        "alpha",
        "alpha_sigma",
        "alpha_low",
        "alpha_high",
        "alpha_p",
        "num_tail",
        "num_traps",
        "ks_p",
        "sigma_mp",
        "norm",
        "abs_entropy",
        "stable_rank",
    )
    columns = {f"{layer}.{name}": timeline.measure(name, layer) for layer in timeline.layers for name in measured}
    columns = dict(timeline.metrics) | columns
    if timeline.predictions is not None:
        shares = timeline.predictions
        columns |= {f"share_of_class_{k}": shares[:, k] for k in range(shares.shape[1])}
    rows: list[Row] = [["run", "step", "observed", "inferred", *columns]]
    for index, step in enumerate(timeline.steps):
        values = [float(column[index]) for column in columns.values()]
        rows.append([timeline.run, int(step), timeline.observed[index], timeline.inferred[index], *values])
    return rows


def _spectra(state: State) -> list[Row]:
    timeline = state.timeline
    rows: list[Row] = [["run", "step", "layer", "number", "eigenvalue", "xmin", "lambda_plus"]]
    name = timeline.layers[state.layer] if timeline.layers else ""
    for step, one in zip(timeline.steps, timeline.spectra.get(name, ()), strict=False):
        for k, value in enumerate(() if one is None else one.esd):
            assert one is not None
            rows.append([timeline.run, int(step), name, k, float(value), one.xmin, one.lambda_plus])
    return rows


def _map(state: State) -> list[Row]:
    timeline = state.timeline
    columns = [timeline.measure(state.measure, layer) for layer in timeline.layers]
    rows: list[Row] = [["run", "step", *(f"{layer}.{state.measure}" for layer in timeline.layers)]]
    return rows + [
        [timeline.run, int(step), *(float(column[k]) for column in columns)]
        for k, step in enumerate(timeline.steps)
    ]


def python_for(state: State, run: Trajectory) -> str:
    """A script that draws the same as text, by what grokscope offers to scripts and notebooks."""
    said = {name: value for name, value in asdict(Place.of(run).opening).items() if value}
    path = ", ".join([repr(str(run.path.absolute())), *(f"{name}={value!r}" for name, value in said.items())])
    names = [layer.name for layer in run.layers]
    lines = ["import grokscope", "", f"run = grokscope.open({path})"]
    if names and len(state.timeline.steps):
        lines += [f"step, layer = {state.step}, {names[min(state.layer, len(names) - 1)]!r}"]
        lines += [f"print(run.figure({call}, text=True, size=(120, 30)))" for call in _figures(state)]
    return "\n".join(lines)


def _figures(state: State) -> list[str]:
    """The arguments that name each figure of the view."""
    here, randomised = "step=step, layer=layer", "'randomised', step=step, layer=layer"
    if state.view == "traps":
        return [randomised]
    if state.view == "trajectories":
        kind = kind_of(state)
        return [f"{kind!r}, layer=layer" if kind in PANELS else repr(kind)]
    if state.view == "heatmap":
        return [f"'heatmap', measure={state.measure!r}"]
    if state.view == "spectrogram":
        return ["'spectrogram', layer=layer"]
    return [f"{'dxmin' if state.search else 'esd'!r}, {here}", randomised]


def copy_within_tmux(text: str) -> None:
    """Put text into a paste buffer of the tmux around this process, and from there into its terminal's."""
    if not os.environ.get("TMUX"):
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["tmux", "load-buffer", "-w", "-"]
        subprocess.run(command, input=text.encode(), timeout=TMUX_SECONDS, check=False, capture_output=True)
