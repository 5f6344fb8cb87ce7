"""`grokscope info`, `check`, `export` and `compact`: what a run file holds, whether it is whole, and its size."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import AsJson, RunPath, echo, name_damaged, name_unmeasured
from grokscope.cli.opening import AnyPath, open_noted, opens
from grokscope.errors import FAILED
from grokscope.names import safe_lines, safe_name

if TYPE_CHECKING:
    from grokscope.trajectory import Trajectory

MEGABYTE = 10**6


@opens()
def info(
    run: AnyPath,
    as_json: AsJson = False,
    **how: Any,
) -> None:
    """Show what a run file, a folder of checkpoints or a model holds: layers, steps, metrics, what is left out."""
    from grokscope.trajectory import find_damaged

    opened = open_noted(run, **how)
    name_damaged(find_damaged(opened, range(opened.num_checkpoints)[-1:]))
    echo(_as_json(_description(opened)) if as_json else _summary(opened))


def _as_json(described: dict[str, object]) -> str:
    """Write NaN and infinities, which a configuration may hold and JSON does not know, as null."""
    plain = json.loads(json.dumps(described), parse_constant=lambda constant: None)
    return json.dumps(plain, indent=2, allow_nan=False)


def _description(run: Trajectory) -> dict[str, object]:
    from grokscope.analysis.checkpoint import described_caveats
    from grokscope.runfile import Run

    return {
        "uuid": run.uuid,
        "format_version": run.format_version if isinstance(run, Run) else None,
        "origin": run.origin,
        "created": run.created,
        "complete": run.complete,
        "num_checkpoints": run.num_checkpoints,
        "steps": run.steps.tolist(),
        "layers": [
            {"name": layer.name, "shape": list(layer.shape), "kind": layer.kind, "note": layer.note or None}
            for layer in run.layers
        ],
        "config": run.config,
        "metrics": list(run.metric_names),
        "notes": list(run.notes),
        **described_caveats(run),
    }


def _summary(run: Trajectory) -> str:
    from grokscope.numbers import number_text
    from grokscope.trajectory.duplicates import same_weights
    from grokscope.trajectory.lineage import lineage_of

    span = f"steps {run.steps[0]:,} to {run.steps[-1]:,}" if run.num_checkpoints else "no step yet"
    facts = {
        "uuid": run.uuid,
        "origin": run.origin,
        "created": run.created,
        "checkpoints": f"{run.num_checkpoints} of {len(run.planned_steps)}, {span}; {run.liveness().state}",
        "layers": ", ".join(f"{layer.name} {'×'.join(map(str, layer.shape))}" for layer in run.layers),
    }
    lines = [f"{run.path}", *_column(facts)]
    if run.num_checkpoints:
        last = {name: number_text(float(values[-1]), ".6g") for name, values in run.metrics().items()}
        lines += ["", f"metrics at step {run.steps[-1]:,}", *_column(last)] if last else []
    notes = [*run.notes, *same_weights(run), *(f"{one.name}: {one.note}" for one in run.layers if one.note)]
    lines += ["", "notes", *(f"  {note}" for note in notes)] if notes else []
    left_out = [f"  {out.name}: {out.reason}" for out in run.left_out]
    lines += ["", "left out", *left_out] if left_out else []
    config = dict(sorted(run.config.items()))
    environment = config.pop("environment", None)
    if lineage := lineage_of(config):
        config["branch"] = lineage.words()
    lines += ["", "configuration", *_column(config)] if config else []
    if isinstance(environment, dict):
        lines += ["", "environment", *_column(environment)]
    return safe_lines(lines)


def _column(values: Mapping[str, object]) -> list[str]:
    """Lay out names and values, one a line, the values below each other."""
    width = max(map(len, values), default=0)
    return [f"  {name:<{width}}  {'–' if value is None else value}" for name, value in values.items()]


def check(run: RunPath) -> None:
    """Check every checkpoint and training state of a run file against its CRC; exit 1 where something is damaged.

    So is the list of training images. Times, the plan and the configuration have no CRC and are not checked. A
    file that crashes HDF5, or on which it hangs, is damaged if it reads a sound one; else the check has failed.
    """
    from grokscope.numbers import counted
    from grokscope.runfile.check import CheckFailed
    from grokscope.runfile.check import check as check_run

    try:
        report = check_run(run)
    except CheckFailed as error:
        echo(f"grokscope: {error}", err=True)
        raise typer.Exit(FAILED) from None
    for problem in report.problems:
        echo(f"grokscope: {problem}", err=True)
    for note in report.notes:
        echo(f"note: {note}", err=True)
    if report.problems:
        raise typer.Exit(FAILED)
    found = [counted(report.num_checkpoints, "checkpoint"), counted(report.num_states, "training state")]
    echo(f"{run}: {' and '.join(found)}, all whole")


@opens()
def export(
    run: AnyPath,
    layers: Annotated[
        bool | None,
        typer.Option(
            "--layers/--metrics-only",
            help="A row for each layer at each step (default of a single model), or for each step alone.",
        ),
    ] = None,
    **how: Any,
) -> None:
    """Print the metrics of every checkpoint as CSV: step, wall time, each metric; none where it is damaged.

    Of a single model, or with --layers, instead a row for each layer at each step, with what was measured of it by
    `grokscope analyze`.
    """
    from grokscope.runfile import Run
    from grokscope.trajectory import is_single

    opened = open_noted(run, **how)
    of_layers = is_single(opened) and not isinstance(opened, Run) if layers is None else layers
    if of_layers:
        _export_layers(opened)
    else:
        _export_metrics(opened)


def _export_layers(opened: Trajectory) -> None:
    from grokscope.analysis import Spectra
    from grokscope.analysis.profile import profile_rows
    from grokscope.trajectory import find_damaged

    damaged = find_damaged(opened)
    name_damaged(damaged)
    spectra = Spectra(opened).leave_out(damaged)
    table = csv.writer(sys.stdout, lineterminator="\n")
    for number, row in enumerate(profile_rows(spectra)):
        if number == 0:
            table.writerow(row)
        values = (safe_name(value) if isinstance(value, str) else value for value in row.values())
        table.writerow(["" if value is None else value for value in values])
    name_unmeasured(spectra)


def _export_metrics(opened: Trajectory) -> None:
    from grokscope.trajectory import find_damaged

    name_damaged(find_damaged(opened))
    metrics = opened.metrics()
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["step", "wall_time", *map(safe_name, metrics)])
    for step, *values in zip(opened.steps, opened.wall_time(), *metrics.values(), strict=True):
        table.writerow([int(step), *("" if value != value else repr(float(value)) for value in values)])


def compact(run: RunPath) -> None:
    """Make a run file smaller by the older of its two training states; it can still be viewed and resumed."""
    from grokscope.runfile import RunWriter

    before = run.stat().st_size if run.is_file() else 0
    with RunWriter.reopen(run) as writer:
        writer.compact()
    after = run.stat().st_size
    echo(f"{run}: {after / MEGABYTE:,.1f} MB, {(before - after) / MEGABYTE:,.1f} MB less")
