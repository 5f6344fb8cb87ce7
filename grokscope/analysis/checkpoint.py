"""Everything about one checkpoint as plain values: the stable object behind `grokscope show --json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from grokscope.analysis.engine import analyze
from grokscope.analysis.evidence import gated_layers, observe_run, read_evidence, why_no_bound, why_no_gates
from grokscope.analysis.profile import known, worst_first
from grokscope.analysis.rows import NOT_PLAIN
from grokscope.analysis.spectra_file import Spectra
from grokscope.analysis.weightwatcher_columns import weightwatcher_columns
from grokscope.errors import RunLocked, UsageError
from grokscope.numbers import json_value
from grokscope.phases import Evidence, infer
from grokscope.phases.gates import GATES
from grokscope.phases.inferred import CONFIRM, growth
from grokscope.phases.strain import times
from grokscope.runfile import LayerSpec
from grokscope.spectra import LayerSpectrum, Trap
from grokscope.trajectory import Trajectory, find_damaged, is_single
from grokscope.trajectory.duplicates import duplicates

LAYER_KEYS = [field.name for field in fields(LayerSpectrum) if field.name not in {*NOT_PLAIN, "reason"}]
TRAP_KEYS = [field.name for field in fields(Trap) if field.name != "entries"]


def checkpoint_at(run: Trajectory, step: int | None) -> int:
    """Return the index of the last checkpoint up to `step`; the last of all for None.

    Raises UsageError where the run holds no checkpoint, or none that early.
    """
    if run.num_checkpoints == 0:
        raise UsageError(f"{run.path} holds no checkpoint yet; train it first")
    if step is None:
        return run.num_checkpoints - 1
    index = int(np.searchsorted(run.steps, step, side="right")) - 1
    if index < 0:
        raise UsageError(f"{run.path} has no checkpoint at step {step}; its first is at step {run.steps[0]:,}")
    return index


def describe_checkpoint(
    run: Trajectory, index: int, on_done: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Describe a checkpoint: metrics, phase and every layer, measured now where that was not done before.

    So is what its verdict hangs on. Plain numbers, strings and None for what is not known. `single` tells a model
    without a history; each layer has its `depth`, from 0, and its rank among those that look worst, from 1.
    `on_done(done, total)` as in `analyze`.
    """
    run.verify(index)
    find_damaged(run, range(index))  # the metrics of what is damaged before do not count
    spectra = _measured(run, index, on_done)
    evidence = read_evidence(spectra).until(index)
    inferred = infer(evidence)
    ranks = _ranks(spectra, index)
    return {
        "run": run.name,
        "uuid": run.uuid,
        "checkpoint": index,
        "num_checkpoints": run.num_checkpoints,
        "step": int(run.steps[index]),
        "metrics": {name: json_value(values[index]) for name, values in run.metrics().items()},
        "phase": {
            "observed": observe_run(run).labels[index],
            "inferred": inferred.label,
            "reasons": list(inferred.reasons),
        },
        "single": is_single(run),
        **described_caveats(run),
        "layers": [
            {**_layer(spectra, index, layer), "depth": depth, "worst": ranks[depth], "note": layer.note or None}
            for depth, layer in enumerate(run.layers)
        ],
        "no_gates": evidence.no_gates or None,
        "strain": json_value(times(inferred.strain)),
        **_capacity(evidence),
    }


def described_caveats(run: Trajectory) -> dict[str, Any]:
    """What every verdict on a trajectory has to be read with: what is left out, and the steps that are equal."""
    return {
        "left_out": [{"name": out.name, "reason": out.reason} for out in run.left_out],
        "duplicates": [run.steps[list(same)].tolist() for same in duplicates(run)],
    }


def _capacity(evidence: Evidence) -> dict[str, Any]:
    """The capacity at the last checkpoint, and how many times its least so far it is."""
    if evidence.no_gates:
        return {"capacity": None, "capacity_grown": None}
    return {
        "capacity": json_value(evidence.layers[-1].capacity[-1]),
        "capacity_grown": json_value(times(growth(evidence)[-1])),
    }


def _ranks(spectra: Spectra, index: int) -> dict[int, int]:
    order = worst_first([spectra.layer(index, layer.name) for layer in spectra.run.layers])
    return {depth: rank for rank, depth in enumerate(order, start=1)}


def _measured(run: Trajectory, index: int, on_done: Callable[[int, int], None]) -> Spectra:
    try:
        return analyze(run, indices=_asked_of(run, index), on_done=on_done)
    except RunLocked:  # another process is measuring this run: show what it has
        return Spectra(run)


def _asked_of(run: Trajectory, index: int) -> list[int]:
    """List what a verdict asks of: a collapse has to last, and strain grows from the first checkpoint on."""
    if why_no_gates(run.config, run.layers) or why_no_bound(run.config):
        return [index]
    return sorted({0, *range(max(0, index - CONFIRM + 1), index + 1)}, reverse=True)


def _layer(spectra: Spectra, index: int, layer: LayerSpec) -> dict[str, Any]:
    spectrum = spectra.layer(index, layer.name) or LayerSpectrum(layer.name, layer.shape, "not measured yet")
    reasons = spectrum.reason or _verdict_unknown(spectrum) or spectrum.randomised_reason
    described: dict[str, Any] = {"name": layer.name, "shape": list(layer.shape), "reason": reasons or None}
    described |= known(spectrum, LAYER_KEYS)
    described["traps"] = [_trap(trap) for trap in spectrum.traps]
    described["num_signal"] = json_value(spectra.column("num_signal", layer.name)[index])
    gated = layer.name in gated_layers(spectra.run)
    gates = spectra.gates(layer.name)
    described["gates"] = {name: json_value(gates[name][index]) for name in GATES} if gated else None
    columns = weightwatcher_columns(spectra, layer.name)
    described["weightwatcher"] = {key: json_value(values[index]) for key, values in columns.items()} or None
    return described


def _verdict_unknown(spectrum: LayerSpectrum) -> str:
    return spectrum.verdict_reason if spectrum.verdict == "not measured" else ""


def _trap(trap: Trap) -> dict[str, Any]:
    described = {key: json_value(getattr(trap, key)) for key in TRAP_KEYS}
    described["entries"] = [{"row": row, "column": column, "value": value} for row, column, value in trap.entries]
    return described
