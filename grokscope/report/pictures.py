"""Figures of runs by the names under which `grokscope plot` draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from grokscope.analysis import Spectra, analyze
from grokscope.analysis.checkpoint import checkpoint_at
from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.analysis.timeline import Timeline, read_timeline
from grokscope.errors import DamagedCheckpoint, RunLocked, UsageError
from grokscope.experiments import experiment_of, experiments, labels
from grokscope.figures import (
    MEASURES,
    PANELS,
    Axis,
    Figure,
    Panel,
    classes,
    dxmin,
    esd,
    heatmap,
    of_measure,
    of_metric,
    on_common_axes,
    on_parent,
    over_time,
    profile,
    randomised,
    spectrogram,
    step_axis,
)
from grokscope.numbers import whole
from grokscope.spectra import LayerSpectrum
from grokscope.trajectory import Opening, Trajectory, find_damaged, open_trajectory
from grokscope.trajectory.lineage import lineage_of, parent_of

AT_A_CHECKPOINT: dict[str, Callable[[LayerSpectrum], Figure]] = {
    "esd": esd,
    "randomised": randomised,
    "dxmin": dxmin,
}
"""Figures of one layer at one checkpoint."""

FORMERLY = {"randomized": "randomised"}
"""How a kind was once spelt, and is still understood."""

KINDS = {
    "accuracy": "train and test accuracy, with the phases",
    "loss": "train and test loss",
    "alpha": "the power-law exponent of each layer",
    "traps": "correlation traps of each layer",
    "ks": "the calibrated KS p of each layer's shuffled entries",
    "sigma_mp": "the robust σ of the shuffled entries over their standard deviation",
    "stable_rank": "the stable rank of each layer",
    "measures": "the paper's other measures together: norm, entropy, sparsity, circuit",
    "norm": "the l² norm of all weights",
    "entropy": "the absolute weight entropy of each layer",
    "sparsity": "the share of activations near zero",
    "circuit": "the approximate local circuit complexity",
    "strain": "how steep the network is over the share of its gates that are open",
    "esd": "a layer's eigenvalues with the fitted power law, at one checkpoint",
    "randomised": "its shuffled entries' eigenvalues with the Marchenko-Pastur law and the traps",
    "dxmin": "how xmin was chosen: the KS distance of every candidate",
    "profile": "α of each layer over depth, at one checkpoint",
    "spectrogram": "a layer's eigenvalues at every checkpoint",
    "heatmap": "a measure of every layer at every checkpoint",
    "classes": "the share of each predicted class at every checkpoint",
}
"""What can be drawn. Beside these, every column of the spectra and every recorded metric by its own name."""


@dataclass(frozen=True)
class Source:
    """A run with its spectra, to draw figures of."""

    run: Trajectory
    spectra: Spectra
    damaged: Mapping[int, str]  # checkpoints that are left out, each with a sentence

    @classmethod
    def open(cls, path: str | Path, opening: Opening | None = None) -> Source:
        """Open the run, folder or model at a path, and its spectra as far as they are measured."""
        return cls.of(open_trajectory(path, opening))

    @classmethod
    def of(cls, run: Trajectory) -> Source:
        """Verify the checkpoints of an opened run, and look for its spectra."""
        damaged = find_damaged(run)
        return cls(run, Spectra(run).leave_out(damaged), damaged)

    @property
    def path(self) -> Path:
        """The run's file or folder."""
        return self.run.path

    @property
    def uuid(self) -> str:
        """The run's identity."""
        return self.run.uuid

    @cached_property
    def experiment(self) -> Mapping[str, str]:
        """What has to be equal in runs that are averaged."""
        return experiment_of(self.run)

    @cached_property
    def timeline(self) -> Timeline:
        """The run through time."""
        return read_timeline(self.run, self.spectra)

    @cached_property
    def parent(self) -> Source | None:
        """The run that this one is a branch of, where it lies beside it."""
        parent = parent_of(self.run)
        return None if parent is None else Source.of(parent)

    def layer(self, name: str | None) -> str:
        """A layer's name, the first one for None; raises UsageError for one that the run does not have."""
        names = [layer.name for layer in self.run.layers]
        if name is not None and name not in names:
            raise UsageError(f"{self.path} has no layer {name}; its layers are {', '.join(names)}")
        return names[0] if name is None else name

    def checkpoint_at(self, step: int | None) -> int:
        """Return the last checkpoint up to a step; raises UsageError where there is none, DamagedCheckpoint."""
        index = checkpoint_at(self.run, step)
        self._refuse_damaged(index)
        return index

    def _refuse_damaged(self, index: int) -> None:
        if index in self.damaged:
            raise DamagedCheckpoint(self.damaged[index])

    def spectrum(self, index: int, layer: str) -> LayerSpectrum:
        """A layer's spectrum, measured now where that was not done before; raises DamagedCheckpoint."""
        self._refuse_damaged(index)
        if (found := self.spectra.layer(index, layer)) is not None:
            return found
        try:
            spectra = analyze(self.run, indices=[index])
        except RunLocked:  # another process is measuring this run
            spectra = Spectra(self.run)
        shape = next(one.shape for one in self.run.layers if one.name == layer)
        return spectra.layer(index, layer) or LayerSpectrum(layer, shape, "not measured yet")


def figures_of(
    kind: str,
    sources: Sequence[Source],
    *,
    step: int | None = None,
    layer: str | None = None,
    measure: str = "alpha",
) -> tuple[Figure, ...]:
    """The figures that a kind stands for: of each run, or over time of each experiment, its seeds averaged.

    `step` and `layer` choose what is drawn at one checkpoint: the last up to that step (the last of all), the
    first layer. `measure` is what a heat map shows. Raises UsageError for a kind, a layer or a measure that there
    is not.
    """
    kind = FORMERLY.get(kind, kind)
    if kind in AT_A_CHECKPOINT:
        return tuple(_at_a_checkpoint(kind, source, step, layer) for source in sources)
    if kind == "profile":
        return tuple(_profile(source, step) for source in sources)
    if kind == "spectrogram":
        return tuple(_named(_spectrogram(source, source.layer(layer)), source, sources) for source in sources)
    if kind == "heatmap":
        _refuse_unknown(measure)
        return tuple(_named(heatmap(source.timeline, measure), source, sources) for source in sources)
    if kind == "classes":
        return tuple(_named(classes(source.timeline), source, sources) for source in sources)
    if kind == "measures":
        return tuple(figure for name in MEASURES for figure in _over_time(name, sources, layer))
    return _over_time(kind, sources, layer)


def _at_a_checkpoint(kind: str, source: Source, step: int | None, layer: str | None) -> Figure:
    name, index = source.layer(layer), checkpoint_at(source.run, step)
    figure = AT_A_CHECKPOINT[kind](source.spectrum(index, name))
    at = f"{source.run.name} step {whole(float(source.run.steps[index]))}"
    return replace(figure, title=f"{figure.title} · {at}")


def _profile(source: Source, step: int | None) -> Figure:
    index = source.checkpoint_at(step)
    at = f"{source.run.name} step {whole(float(source.run.steps[index]))}"
    spectra = [source.spectra.layer(index, layer.name) for layer in source.run.layers]
    return profile(spectra, "by depth", f"α of each layer · {at}")


def _spectrogram(source: Source, layer: str) -> Figure:
    return spectrogram(source.timeline, layer, source.spectra.history(layer))


def _over_time(kind: str, sources: Sequence[Source], layer: str | None) -> tuple[Figure, ...]:
    """A panel for each experiment, on common axes."""
    groups = experiments(sources)
    parents = [group[0].parent for group in groups if len(group) == 1]
    x = step_axis([source.timeline for source in (*sources, *parents) if source is not None])
    figures = []
    for group, words in zip(groups, labels(groups), strict=True):
        layers = () if layer is None else (group[0].layer(layer),)
        runs = [source.timeline for source in group]
        figure = over_time(_panel(kind, group[0], layers), runs, x)
        if len(group) == 1:
            figure = _on_parent(figure, kind, group[0], layers, x)
        name = group[0].run.name if len(group) == 1 else f"{len(group)} runs"
        figures.append(replace(figure, title=" · ".join(filter(None, [figure.title, name, words]))))
    return on_common_axes(figures)


def _on_parent(figure: Figure, kind: str, source: Source, layers: Sequence[str], x: Axis) -> Figure:
    """Put a branch's figure on its parent's timeline, where the parent is there and has the same to show."""
    lineage, parent = lineage_of(source.run.config), source.parent
    if lineage is None or parent is None or figure.reason:
        return figure
    try:
        behind = over_time(_panel(kind, parent, layers), [parent.timeline], x)
    except UsageError:  # a metric that only the branch has
        return figure
    return figure if behind.reason else on_parent(figure, behind, lineage.step)


def _panel(kind: str, source: Source, layers: Sequence[str]) -> Panel:
    if kind in PANELS:
        return PANELS[kind](source.timeline, layers)
    if kind in source.run.metric_names:
        return of_metric(kind)
    _refuse_unknown(kind)
    return of_measure(kind, source.timeline, layers)


def _refuse_unknown(name: str) -> None:
    if name not in LAYER_COLUMNS:
        raise UsageError(
            f"there is no figure {name}; there are {', '.join(KINDS)}, "
            "every column that `grokscope export --layers` names, and every metric that `grokscope export` names"
        )


def _named(figure: Figure, source: Source, sources: Sequence[Source]) -> Figure:
    return replace(figure, title=f"{figure.title} · {source.run.name}") if len(sources) > 1 else figure
