"""A run in a notebook or a script: `grokscope.open(path)` gives its numbers as data frames, and its figures."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.rows import num_eigenvalues
from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.errors import MissingPackage, UsageError
from grokscope.names import safe_name
from grokscope.numbers import counted
from grokscope.report.pictures import Source, figures_of
from grokscope.trajectory import Opening

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Page


class Opened:
    """One run and its spectra, as far as they are measured; nothing is kept open between calls.

    Frames need pandas, pictures matplotlib; both raise MissingPackage, which says how to install them.
    """

    def __init__(self, path: str | Path, opening: Opening | None = None) -> None:
        """Open the run, folder or model at a path; raises BadRunFile or UsageError where it is none."""
        self._source = Source.open(path, opening)
        for sentence in self._source.damaged.values():
            warnings.warn(sentence, stacklevel=2)

    @property
    def damaged(self) -> Mapping[int, str]:
        """The checkpoints that are damaged, by index, each with a sentence; their metrics are NaN."""
        return self._source.damaged

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps of the checkpoints, ascending, int64 [n]."""
        return self._source.run.steps

    @property
    def metrics(self) -> pd.DataFrame:
        """Every recorded metric, a row a step, NaN where it was not recorded."""
        return _pandas().DataFrame(self._source.run.metrics(), index=self._index())

    @property
    def layers(self) -> pd.DataFrame:
        """Every layer: its shape, kind and number of eigenvalues."""
        layers = self._source.run.layers
        rows = [(layer.shape, layer.kind, num_eigenvalues(layer)) for layer in layers]
        names = _pandas().Index([layer.name for layer in layers], name="layer")
        return _pandas().DataFrame(rows, index=names, columns=["shape", "kind", "num_eigenvalues"])

    @property
    def spectra(self) -> pd.DataFrame:
        """Every number that is measured of a layer at a step, a row for each (step, layer) that is measured."""
        pandas, spectra = _pandas(), self._source.spectra
        frames = []
        for column, layer in enumerate(self._source.run.layers):
            done = spectra.done[:, column]
            values = {name: spectra.column(name, layer.name)[done] for name in LAYER_COLUMNS}
            index = [self.steps[done], np.repeat(layer.name, done.sum())]
            frames.append(pandas.DataFrame(values, pandas.MultiIndex.from_arrays(index, names=["step", "layer"])))
        return pandas.concat(frames).sort_index(level="step", sort_remaining=False)

    @property
    def phases(self) -> pd.DataFrame:
        """The phase of each checkpoint: `observed` from accuracies, `inferred` from the weights up to it."""
        timeline = self._source.timeline
        labels = {"observed": list(timeline.observed), "inferred": list(timeline.inferred)}
        return _pandas().DataFrame(labels, index=self._index())

    def weight(self, step: int, layer: str) -> NDArray[np.floating[Any]]:
        """A layer's weight [out, in, ...] at a step.

        Raises UsageError where there is no such checkpoint, DamagedCheckpoint where its bytes are damaged.
        """
        found = np.flatnonzero(self.steps == step)
        if not len(found):
            near = ", ".join(f"{value:,}" for value in self.steps[np.argsort(np.abs(self.steps - step))[:2]])
            raise UsageError(f"{self._source.path} has no checkpoint at step {step:,}; the nearest are at {near}")
        self._source.run.verify(int(found[0]))
        return self._source.run.weight(int(found[0]), self._source.layer(layer))

    def figure(
        self, kind: str, *, step: int | None = None, layer: str | None = None, measure: str = "alpha",
        text: bool = False, size: tuple[int, int] = (80, 24),
    ) -> Page | str:  # fmt: skip
        """A figure by the name that `grokscope plot` knows it by: a matplotlib figure, or with `text` a string.

        `step` is that of the last checkpoint to draw (the last of all), `size` the columns and rows of the text.
        """
        figures = figures_of(kind, [self._source], step=step, layer=layer, measure=measure)
        if text:
            from grokscope.figures.terminal import text as drawn

            return "\n\n".join(drawn(figure, *size, colors=False) for figure in figures)
        from grokscope.figures.paper import page

        return page(figures)

    def __repr__(self) -> str:
        """Say what was opened in one line."""
        run = self._source.run
        span = f"steps {self.steps[0]:,} to {self.steps[-1]:,}" if len(self.steps) else "no step yet"
        names = ", ".join(layer.name for layer in run.layers)
        return safe_name(f"{run.name}: {counted(run.num_checkpoints, 'checkpoint')}, {span}; {names}")

    def _repr_html_(self) -> str:
        """The same for a notebook, with each layer's shape and how many checkpoints are measured."""
        rows = "".join(
            f"<tr><td>{html.escape(layer.name)}</td><td>{'×'.join(map(str, layer.shape))}</td>"
            f"<td>{int(self._source.spectra.done[:, k].sum())} of {len(self.steps)}</td></tr>"
            for k, layer in enumerate(self._source.run.layers)
        )
        head = "<tr><th>layer</th><th>shape</th><th>checkpoints measured</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def _index(self) -> pd.Index:
        return _pandas().Index(self.steps, name="step")


def open(
    path: str | Path,
    *,
    step_regex: str | None = None,
    steps_from: str | Path | None = None,
    match: str | None = None,
    network: str = "",
    metrics: str | Path | None = None,
) -> Opened:
    """Open a run file, a folder of checkpoints, a file with many of them, or a single model.

    What checkpoints do not say themselves is said as on the command line; see `grokscope.trajectory.Opening`.
    """
    return Opened(path, Opening(step_regex, steps_from, match, network, metrics))


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingPackage("data frames need pandas; install it by `pip install pandas`") from error
    return pandas
