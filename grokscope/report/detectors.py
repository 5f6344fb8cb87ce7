"""What may tell of the collapse, a score a checkpoint: our rule, the papers', single measures, and time itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis import Spectra
from grokscope.analysis.evidence import read_evidence
from grokscope.analysis.spectra_file import LAYER_COLUMNS
from grokscope.errors import UsageError
from grokscope.phases import Evidence, Inferred, infer, infer_as_published
from grokscope.phases.inferred import Rule, closure, growth
from grokscope.phases.strain import strain
from grokscope.spectra.power_law import OVER_TRAINED

Array = NDArray[np.float64]
COLLAPSED, HEALTHY, UNDECIDED = "anti-grokking", "grokking", "undecided"
LOWER = "-"  # before the name of a column whose low values tell of a collapse


@dataclass(frozen=True)
class Reading:
    """What a detector says of a run: score float64 [n], the higher the more collapsed, NaN where unknown.

    labels: its own word for every checkpoint where it has a rule of its own, None where it has none.
    """

    score: Array
    labels: tuple[str, ...] | None = None


def read_detectors(spectra: Spectra, columns: Sequence[str] = ()) -> dict[str, Reading]:
    """Read every built-in detector and the given columns of a run, by name.

    A column is a metric, a measure of a layer ("fc1 stable_rank") or a measure of every layer ("stable_rank"),
    with a leading "-" where low values tell of a collapse. Raises UsageError where a run has no such column.
    """
    named = {name: detector.read(spectra) for name, detector in DETECTORS.items()}
    for column in columns:
        sign = -1.0 if column.startswith(LOWER) else 1.0
        for name, values in _columns(spectra, column.removeprefix(LOWER)).items():
            named[f"{LOWER if sign < 0 else ''}{name}"] = Reading(sign * values)
    return named


def _rule(by: Rule, score: Callable[[Evidence], Array]) -> Callable[[Spectra], Reading]:
    def read(spectra: Spectra) -> Reading:
        evidence = read_evidence(spectra)
        labels = _labels(lambda index: infer(evidence.until(index), by), len(spectra.done))
        return Reading(score(evidence), labels)

    return read


def _paper(spectra: Spectra) -> Reading:
    evidence = read_evidence(spectra)
    labels = _labels(lambda index: infer_as_published(evidence.until(index)), len(spectra.done))
    signs = {COLLAPSED: 2.0, UNDECIDED: 1.0, "unknown": np.nan}
    return Reading(np.array([signs.get(label, 0.0) for label in labels]), labels)


def _labels(at: Callable[[int], Inferred], count: int) -> tuple[str, ...]:
    return tuple(at(index).label for index in range(count))


def _alpha(spectra: Spectra) -> Reading:
    alpha = np.fmin.reduce(_table(spectra, "alpha"))
    return Reading(-alpha, _alarmed(alpha, alpha < OVER_TRAINED))


def _traps(spectra: Spectra) -> Reading:
    counts = _table(spectra, "num_traps")
    traps = np.where(np.isnan(counts).all(axis=0), np.nan, np.nansum(counts, axis=0))
    return Reading(traps, _alarmed(traps, traps > 0))


def _norm(spectra: Spectra) -> Reading:
    return Reading(np.linalg.norm(_table(spectra, "norm"), axis=0))


def _entropy(spectra: Spectra) -> Reading:
    return Reading(-spectra.column("abs_entropy", _names(spectra)[0]))


def _metric(name: str, sign: float = 1.0) -> Callable[[Spectra], Reading]:
    def read(spectra: Spectra) -> Reading:
        count = len(spectra.done)
        return Reading(sign * spectra.run.metrics().get(name, np.full(count, np.nan))[:count])

    return read


def _step(spectra: Spectra) -> Reading:
    return Reading(spectra.run.steps[: len(spectra.done)].astype(np.float64))


@dataclass(frozen=True)
class Detector:
    """A detector in words, and how it reads a run."""

    words: str
    read: Callable[[Spectra], Reading]


DETECTORS: Mapping[str, Detector] = {
    "ours": Detector("our rule; its score is the strain, in doublings", _rule("strain", strain)),
    "gates": Detector(
        "the rule by gates instead, as where outputs may grow for ever; its score is their closure",
        _rule("gates", closure),
    ),
    "capacity": Detector(
        "the rule by capacity instead; its score is by how many doublings it has grown",
        _rule("capacity", growth),
    ),
    "paper": Detector("the published rule, alpha below 2 and traps; its score is how many of the two", _paper),
    "alpha": Detector("the smallest alpha of any layer, low; alarm below 2", _alpha),
    "traps": Detector("correlation traps of all layers, many; alarm beyond 0", _traps),
    "norm": Detector("norm of all weights, large", _norm),
    "entropy": Detector("absolute weight entropy of the first layer, low", _entropy),
    "sparsity": Detector("share of activations below 1e-6, large", _metric("activation_sparsity_1e-6")),
    "complexity": Detector("approximate local circuit complexity, low", _metric("circuit_complexity", -1.0)),
    "step": Detector("time itself, late", _step),
}


def _names(spectra: Spectra) -> list[str]:
    return [layer.name for layer in spectra.run.layers if layer.kind != "embedding"]


def _table(spectra: Spectra, measure: str) -> Array:
    """Return a measure of every layer, float64 [layers, n]."""
    return np.array([spectra.column(measure, name) for name in _names(spectra)])


def _alarmed(values: Array, alarm: NDArray[np.bool_]) -> tuple[str, ...]:
    words = np.where(np.isnan(values), "unknown", np.where(alarm, COLLAPSED, HEALTHY))
    return tuple(words.tolist())


def _columns(spectra: Spectra, column: str) -> dict[str, Array]:
    """Return a metric, a layer's measure, or a measure of every layer, by the detector's name."""
    metrics = spectra.run.metrics()
    if column in metrics:
        return {column: metrics[column][: len(spectra.done)]}
    layer, _, measure = column.rpartition(" ")
    layers = [layer] if layer else _names(spectra)
    if measure not in LAYER_COLUMNS or not set(layers) <= set(_names(spectra)):
        raise UsageError(
            f"{column} is no column of {spectra.run.path}; a column is a metric that `grokscope export` names, "
            "or a measure that `grokscope export --layers` names, such as stable_rank or 'fc1 stable_rank'"
        )
    return {f"{name} {measure}": spectra.column(measure, name) for name in layers}
