"""A checkpoint as text: what `grokscope show` prints without --json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grokscope.names import safe_lines
from grokscope.numbers import counted, interval, number, number_text, percent_sign, probability, with_range
from grokscope.phases import NO_PHASE
from grokscope.report.text import aligned, caveat_lines
from grokscope.spectra.null import ALPHA_DRAWS
from grokscope.spectra.power_law import UNDECIDED

Described = dict[str, Any]

HEADER = [
    "layer", "shape", "alpha", "95 %", "noise p", "tail", "D", "sigma_mp", "KS p", "naive p", "traps", "signal",
    "norm", "verdict",
]  # fmt: skip
WORDS_OF_GATES = {
    "live_rows": ("units learning", "%"), "lit": ("of these lit", "%"), "none_lit": ("none lit", ".2g"),
    "turned_columns": ("inputs learnt from", "%"), "bias_over_norm": ("bias/norm", ".3f"),
    "row_mean_z": ("row mean, z", ".2f"), "mean_spike": ("mean spike", ".2f"), "scale": ("scale", ".3g"),
}  # fmt: skip
LEFT_ALIGNED = [HEADER.index(title) for title in ("layer", "shape", "verdict")]
SHOWN_ENTRIES = 4


def checkpoint_text(checkpoint: Described, worst_first: bool = False) -> str:
    """Lay out metrics, phase, the table of layers, each trap with its cause, and WeightWatcher's columns.

    The layers stand by depth, or those that look worst come first.
    """
    layers = sorted(checkpoint["layers"], key=lambda layer: layer["worst" if worst_first else "depth"])
    return safe_lines(_lines({**checkpoint, "layers": layers}, worst_first))


def _lines(checkpoint: Described, worst_first: bool) -> Iterator[str]:
    which = f"checkpoint {checkpoint['checkpoint'] + 1} of {checkpoint['num_checkpoints']}"
    yield f"{checkpoint['run']}  step {checkpoint['step']:,}  ({which})"
    phase = checkpoint["phase"]
    why = f" ({NO_PHASE})" if phase["observed"] == "undecided" else ""
    yield f"observed: {phase['observed']}{why}   weights say: {phase['inferred']}"
    yield from (f"  - {reason}" for reason in phase["reasons"])
    yield from caveat_lines(checkpoint)
    yield ""
    yield from (f"{name:<26} {number_text(value, '.5g')}" for name, value in checkpoint["metrics"].items())
    yield f"layers, {'those that look worst first' if worst_first else 'by depth'}"
    yield from aligned([HEADER, *(_cells(layer) for layer in checkpoint["layers"])], LEFT_ALIGNED)
    yield from _gates(checkpoint)
    for layer in checkpoint["layers"]:
        if layer["note"]:
            yield f"{layer['name']}: {layer['note']}"
    for layer in checkpoint["layers"]:
        yield from _details(layer)
    yield from _interventions(checkpoint.get("interventions", []))


def _cells(layer: Described) -> list[str]:
    return [
        layer["name"],
        "×".join(map(str, layer["shape"])),
        number_text(layer["alpha"], ".2f"),
        interval(layer["alpha_low"], layer["alpha_high"]),
        probability(layer["alpha_p"], min(layer["null_draws"] or 0, ALPHA_DRAWS)),
        number_text(layer["num_tail"], "d"),
        number_text(layer["power_law_distance"], ".3f"),
        number_text(layer["sigma_mp"], ".3f"),
        probability(layer["ks_p"], layer["null_draws"] or 0),
        probability(layer["ks_p_naive"], 0),
        with_range(number_text(layer["num_traps"], "g"), layer["num_traps_min"], layer["num_traps_max"]),
        number_text(layer["num_signal"], ".0f"),
        number_text(layer["norm"], ".4g"),
        layer["reason"] or layer["verdict"],
    ]


def _details(layer: Described) -> Iterator[str]:
    if layer["traps"] or layer["verdict"] in UNDECIDED:
        yield ""
    if layer["verdict"] in UNDECIDED:
        yield f"{layer['name']}'s α is {layer['verdict']}: {layer['verdict_reason']}"
    for rank, trap in enumerate(layer["traps"], start=1):
        ratio, z = number_text(trap["ratio"], ".2f"), number_text(trap["z"], ".1f")
        line = f"{layer['name']} trap {rank}: λ {trap['eigenvalue']:.4g}, λ/λ+ {ratio}, z {z}, {trap['cause']}"
        entries = [f"[{entry['row']}, {entry['column']}] {entry['value']:.4g}" for entry in trap["entries"]]
        yield line + (": " + ", ".join(entries[:SHOWN_ENTRIES]) if entries else "")
    unkept = int(layer["num_traps_shown"] or 0) - len(layer["traps"])
    if unkept > 0:
        yield f"{layer['name']}: {counted(unkept, 'weaker trap')} not kept"
    if layer["weightwatcher"]:
        columns = (f"{name} {number_text(value, '.4g')}" for name, value in layer["weightwatcher"].items())
        yield f"{layer['name']} by WeightWatcher: {'  '.join(columns)}"


def _gates(checkpoint: Described) -> Iterator[str]:
    """Lay out the gates of the hidden layers, or say why there are none to show."""
    yield ""
    if checkpoint["no_gates"]:
        yield f"gates: {checkpoint['no_gates']}"
        return
    gated = [layer for layer in checkpoint["layers"] if layer["gates"] is not None]
    header = ["gates", *(words for words, _ in WORDS_OF_GATES.values())]
    rows = [
        [layer["name"], *(_gate(layer["gates"][name], form) for name, (_, form) in WORDS_OF_GATES.items())]
        for layer in gated
    ]
    yield from aligned([header, *rows])
    if checkpoint["strain"] is not None:
        yield f"strain {number(checkpoint['strain'])}"
    if checkpoint["capacity"] is not None:
        grown = checkpoint["capacity_grown"]
        of_least = f", {number(grown)} times its least so far" if grown else ""
        yield f"capacity {number(checkpoint['capacity'])}{of_least}"
    if any(layer["gates"]["lit"] is None for layer in gated):
        yield "not measured at the first checkpoint, nor where no unit has changed direction since the one before"


def _gate(value: float | None, form: str) -> str:
    return percent_sign(value) if form == "%" and value is not None else number_text(value, form)


def _interventions(rows: list[Described]) -> Iterator[str]:
    """Lay out the accuracies with each intervention; nothing where none was asked for."""
    if not rows:
        return
    yield ""
    header = ["accuracy", "train", "test", "left out"]
    cells = [
        [row["intervention"], *(number_text(row[name], ".4f") for name in ("train_accuracy", "test_accuracy")),
         number_text(row["left_out_accuracy"], ".4f")]
        for row in rows
    ]  # fmt: skip
    yield from aligned([header, *cells])
    if any(row["left_out_accuracy"] is not None for row in rows):
        yield "left out: of the training images, each read by a readout that is fitted to the others"
