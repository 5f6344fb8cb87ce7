"""Phases of a run: from its accuracies, and from its spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grokscope.analysis.gates import MEASURES, chain, input_range
from grokscope.analysis.rows import num_eigenvalues
from grokscope.analysis.spectra_file import Spectra
from grokscope.phases import Evidence, Inferred, LayerEvidence, Observed, infer, observe
from grokscope.phases.evidence import COLUMNS, said_by
from grokscope.runfile import LayerSpec
from grokscope.trajectory import Trajectory, is_single
from grokscope.turns import in_turns

CLOSING = "relu"  # the activation of which it is known that a collapse closes gates
HOLDING = ("mse", "meansquarederror", "squarederror", "l2")  # least where outputs are their targets
ENDLESS = ("crossentropy", "ce", "nll")  # the less the larger outputs are


def observe_run(run: Trajectory) -> Observed:
    """Label every checkpoint of a run from its accuracies; "unknown" where they were not recorded.

    So is a single model, which has no history.
    """
    metrics = {} if is_single(run) else run.metrics()
    unknown = np.full(run.num_checkpoints, np.nan)
    return observe(metrics.get("train_accuracy", unknown), metrics.get("test_accuracy", unknown))


def read_evidence(spectra: Spectra) -> Evidence:
    """Collect what the spectra and gates of every layer say, over all checkpoints."""
    run = spectra.run
    layers = tuple(_layer_evidence(spectra, layer) for layer in in_turns(run.layers) if layer.kind != "embedding")
    config = run.config
    return Evidence(
        layers,
        no_gates=why_no_gates(config, run.layers),
        no_bound=why_no_bound(config),
        left_out=len(run.left_out),
        random_labels=config.get("random_labels") is True,
    )


def infer_all(spectra: Spectra) -> list[Inferred]:
    """Infer the phase at every checkpoint, each from the weights up to it."""
    evidence = read_evidence(spectra)
    return [infer(evidence.until(index)) for index in in_turns(range(len(spectra.done)))]


def why_no_gates(config: Mapping[str, Any], layers: tuple[LayerSpec, ...]) -> str:
    """Return why nothing can be said of a network's gates; "" where they are defined.

    A run says in its configuration what is needed: `activation`, and `dataset` (one of ours) or `input_range`,
    [darkest, brightest], such as [-0.4242, 2.8215] of MNIST when it is standardised.
    """
    if len(chain(layers)) < 3:
        return "gates are defined for three or more linear layers, each one's outputs the next one's inputs"
    activation = config.get("activation")
    if activation is None:
        return (
            "nothing says which activation its units have, so that it is unknown whether they are gates; "
            + said_by("--activation relu", '"activation": "relu"')
        )
    if _plain(activation) != CLOSING:
        return (
            f"its units are {activation}: that a collapse closes gates is known of {CLOSING} alone, and too few "
            "networks of others have been looked at to tell theirs"
        )
    if input_range(config) is None:
        return (
            "nothing says between which values its inputs lie, so that it is unknown what lights a unit; "
            + said_by("--input-range 0,1", '"input_range": [0, 1]')
        )
    return ""


def why_no_bound(config: Mapping[str, Any]) -> str:
    """Return why outputs may grow for ever, and capacity with them; "" where the loss holds them."""
    loss = config.get("loss")
    if loss is None:
        return "nothing says with which loss it was trained; " + said_by("--loss mse", '"loss": "mse"')
    plain = _plain(loss).removesuffix("loss")
    if plain in HOLDING:
        return ""
    if plain in ENDLESS:
        return f"{loss} lets outputs grow for ever"
    return f"it is not known of {loss} that it holds outputs to their targets, as mse does"


def _plain(name: object) -> str:
    """Return how a name is spelled by everyone: `MSELoss` and `mse_loss` are one."""
    return "".join(letter for letter in str(name).lower() if letter.isalnum())


def _layer_evidence(spectra: Spectra, layer: LayerSpec) -> LayerEvidence:
    gates = spectra.gates(layer.name)
    columns = {name: gates[name] if name in MEASURES else spectra.column(name, layer.name) for name in COLUMNS}
    return LayerEvidence(layer.name, num_eigenvalues(layer), **columns)


def gated_layers(run: Trajectory) -> tuple[str, ...]:
    """Name the hidden layers of a run whose gates are known to mean something; none where they do not."""
    if why_no_gates(run.config, run.layers):
        return ()
    return tuple(layer.name for layer in chain(run.layers)[:-1])
