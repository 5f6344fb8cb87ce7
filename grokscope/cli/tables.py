"""A checkpoint as text: what `grokscope show` prints without --json."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

Described = dict[str, Any]

COLUMNS = ("layer", "shape", "alpha", "tail", "D", "sigma_mp", "KS p", "naive", "traps", "signal", "verdict")


def print_checkpoint(checkpoint: Described) -> None:
    """Print metrics, phase, the table of layers, each trap with its cause, and WeightWatcher's columns."""
    console = Console(soft_wrap=True, highlight=False)
    number = f"checkpoint {checkpoint['checkpoint'] + 1} of {checkpoint['num_checkpoints']}"
    console.print(f"[bold]{checkpoint['run']}[/]  step {checkpoint['step']:,}  ({number})")
    phase = checkpoint["phase"]
    console.print(f"observed: {phase['observed']}   weights say: {phase['inferred']}")
    for reason in phase["reasons"]:
        console.print(f"  - {reason}")
    console.print(
        "   ".join(f"{name} {number_text(value, '.5g')}" for name, value in checkpoint["metrics"].items())
    )
    console.print(_layers_table(checkpoint["layers"]))
    for layer in checkpoint["layers"]:
        _print_details(console, layer)


def number_text(value: float | None, form: str) -> str:
    """Format a number; an en dash where it is not known."""
    return "–" if value is None else format(value, form)


def p_text(value: float | None, draws: int) -> str:
    """Format a Monte-Carlo p-value, which cannot go below 1 / (draws + 1)."""
    if value is None:
        return "–"
    smallest = 1 / (draws + 1)
    return f"<{smallest:.2g}" if draws and value <= smallest * 1.0001 else f"{value:.3g}"


def _layers_table(layers: list[Described]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(
            column, justify="left" if column in ("layer", "shape", "verdict") else "right", no_wrap=True
        )
    for layer in layers:
        table.add_row(*_cells(layer))
    return table


def _cells(layer: Described) -> list[str]:
    return [
        layer["name"],
        "×".join(map(str, layer["shape"])),
        f"{number_text(layer['alpha'], '.2f')} ± {number_text(layer['alpha_sigma'], '.2f')}",
        number_text(layer["num_tail"], "d"),
        number_text(layer["power_law_distance"], ".3f"),
        number_text(layer["sigma_mp"], ".3f"),
        p_text(layer["ks_p"], layer["null_draws"] or 0),
        number_text(layer["ks_p_naive"], ".3f"),
        _traps_text(layer),
        number_text(layer["num_signal"], "d"),
        layer["reason"] or layer["verdict"],
    ]


def _traps_text(layer: Described) -> str:
    if layer["num_traps"] is None:
        return "–"
    span = "" if layer["num_traps_min"] == layer["num_traps_max"] else "–".join(
        number_text(layer[key], ".0f") for key in ("num_traps_min", "num_traps_max")
    )  # fmt: skip
    return f"{layer['num_traps']:g}" + (f" ({span})" if span else "")


def _print_details(console: Console, layer: Described) -> None:
    for number, trap in enumerate(layer["traps"], start=1):
        ratio, z = number_text(trap["ratio"], ".2f"), number_text(trap["z"], ".1f")
        console.print(
            f"{layer['name']} trap {number}: λ {trap['eigenvalue']:.4g}, λ/λ+ {ratio}, z {z}, {trap['cause']}"
        )
        for entry in trap["entries"]:
            console.print(f"    entry [{entry['row']}, {entry['column']}] = {entry['value']:.4g}", markup=False)
    if layer["weightwatcher"]:
        columns = "  ".join(
            f"{name} {number_text(value, '.4g')}" for name, value in layer["weightwatcher"].items()
        )
        console.print(f"{layer['name']} by WeightWatcher: {columns}")
