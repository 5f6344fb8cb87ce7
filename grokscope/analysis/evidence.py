"""Phases of a run: from its accuracies, and from its spectra."""

from __future__ import annotations

import numpy as np

from grokscope.analysis.rows import num_eigenvalues
from grokscope.analysis.spectra_file import Spectra
from grokscope.phases import Inferred, LayerEvidence, Observed, Thresholds, infer, observe
from grokscope.trajectory import Trajectory


def observe_run(run: Trajectory, thresholds: Thresholds | None = None) -> Observed:
    """Label every checkpoint of a run from its accuracies; "unknown" where they were not recorded."""
    metrics = run.metrics()
    unknown = np.full(run.num_checkpoints, np.nan)
    return observe(metrics.get("train_accuracy", unknown), metrics.get("test_accuracy", unknown), thresholds)


def layer_evidence(spectra: Spectra) -> tuple[LayerEvidence, ...]:
    """Collect what the spectra of every layer say, over all checkpoints."""
    return tuple(
        LayerEvidence(
            name=layer.name,
            num_eigenvalues=num_eigenvalues(layer),
            num_signal=spectra.column("num_signal", layer.name),
            num_entry_traps=spectra.column("num_entry_traps", layer.name),
            dominance=spectra.column("dominance", layer.name),
            alpha_high=spectra.column("alpha_high", layer.name),
            num_tail=spectra.column("num_tail", layer.name),
            norm=spectra.column("norm", layer.name),
        )
        for layer in spectra.run.layers
    )


def infer_phase(spectra: Spectra, index: int) -> Inferred:
    """Infer the phase at a checkpoint from the weights up to it."""
    return infer([layer.until(index) for layer in layer_evidence(spectra)])
