"""The checkpoints at which something happened, with what was measured there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grokscope.analysis import Spectra, observe_run
from grokscope.analysis.checkpoint import described_caveats
from grokscope.analysis.evidence import gated_layers, infer_all
from grokscope.analysis.timeline import stretches
from grokscope.experiments import experiment_of
from grokscope.files import with_a_name
from grokscope.phases import Observed
from grokscope.trajectory import Trajectory, is_single
from grokscope.trajectory.lineage import lineage_of

EVENTS = ("start", "memorised", "onset", "peak", "collapse", "forgotten", "last")
LAYER_MEASURES = (
    "alpha", "alpha_low", "alpha_high", "alpha_p", "num_tail", "sigma_mp", "ks_p", "num_traps", "num_traps_shown",
    "num_entry_traps", "num_signal", "dominance",
)  # fmt: skip
GATE_MEASURES = ("lit", "none_lit", "live_rows", "bias_over_norm")  # of each hidden layer
METRICS = ("train_accuracy", "test_accuracy")
ON_TRAINING_IMAGES = ("units_lit", "dead_units", "patterns", "purity")  # of each hidden layer, where recorded


@dataclass(frozen=True)
class RunReport:
    """A run in a few numbers.

    events: event → {step, train_accuracy, test_accuracy, and measure per layer as "layer measure"}; an event that
    did not happen is left out. phases: (label, first step, last step) in order. confusion: (observed, inferred) →
    number of checkpoints, over those that are measured. experiment: the configuration and the layers' shapes, as
    text by name, without the seed and where it was computed; equal in runs that may be averaged. null_draws: the
    draws behind each ks_p, by layer. branch: whose child the run is, in words, "" for none. single: a model,
    without a history. caveats: `left_out` and `duplicates` as in `described_caveats`.
    """

    path: Path
    uuid: str
    events: Mapping[str, Mapping[str, float]]
    phases: list[tuple[str, int, int]]
    confusion: Mapping[tuple[str, str], int]
    experiment: Mapping[str, str]
    null_draws: Mapping[str, int]
    branch: str = ""
    single: bool = False
    caveats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the file or folder, without where it lies."""
        return with_a_name(self.path).name

    @property
    def measured(self) -> bool:
        """Whether any checkpoint is measured in all its layers."""
        return bool(self.confusion)


def run_report(run: Trajectory, spectra: Spectra) -> RunReport:
    """Collect a run's events, phases and how the inferred labels compare with the observed ones."""
    observed, lineage = observe_run(run), lineage_of(run.config)
    columns = _columns(run, spectra)
    steps = run.steps.tolist()
    events = {
        event: {name: float(values[index]) for name, values in columns.items()}
        for event, index in _indices(run, observed).items()
    }
    return RunReport(
        path=run.path,
        uuid=run.uuid,
        events=events,
        phases=[(label, steps[first], steps[end - 1]) for first, end, label in stretches(observed.labels)],
        confusion=_confusion(spectra, observed),
        experiment=experiment_of(run),
        null_draws={layer.name: _draws(spectra, layer.name) for layer in run.layers},
        branch=lineage.words() if lineage else "",
        single=is_single(run),
        caveats=described_caveats(run),
    )


def _indices(run: Trajectory, observed: Observed) -> dict[str, int]:
    if run.num_checkpoints == 0:
        return {}
    found = {
        "start": 0,
        "memorised": observed.memorised,
        "onset": observed.onset,
        "peak": observed.peak,
        "collapse": observed.collapse,
        "forgotten": observed.forgotten,
        "last": run.num_checkpoints - 1,
    }
    return {event: index for event, index in found.items() if index is not None}


def _columns(run: Trajectory, spectra: Spectra) -> dict[str, Any]:
    metrics = run.metrics()
    columns: dict[str, Any] = {"step": run.steps}
    columns |= {name: metrics[name] for name in METRICS if name in metrics}
    for layer in run.layers:
        recorded = {name: f"{name}_{layer.name}" for name in ON_TRAINING_IMAGES}
        columns |= {f"{layer.name} {name}": metrics[at] for name, at in recorded.items() if at in metrics}
    for layer in run.layers:
        columns |= {f"{layer.name} {name}": spectra.column(name, layer.name) for name in LAYER_MEASURES}
    for gated in gated_layers(run):
        columns |= {f"{gated} {name}": spectra.column(name, gated) for name in GATE_MEASURES}
    return columns


def _draws(spectra: Spectra, layer: str) -> int:
    drawn = spectra.column("null_draws", layer)
    return int(np.nanmax(drawn)) if np.isfinite(drawn).any() else 0


def _confusion(spectra: Spectra, observed: Observed) -> dict[tuple[str, str], int]:
    pairs = zip(observed.labels, infer_all(spectra), spectra.done, strict=True)
    return dict(Counter((label, inferred.label) for label, inferred, done in pairs if done.all()))
