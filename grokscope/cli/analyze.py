"""`grokscope analyze`: measure every layer of every checkpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import echo, name_damaged, progress
from grokscope.cli.opening import AnyPaths, open_every, opens

if TYPE_CHECKING:
    from grokscope.analysis import Parameters, Spectra
    from grokscope.trajectory import Trajectory

OTHERS_SECONDS = 30.0  # a viewer holds the spectra for one checkpoint: what was asked for waits, and wins


@opens(metrics=False)
def analyze(
    runs: AnyPaths,
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Processes; 0 takes one for each core.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Seed of the permutations (default: 0).")] = None,
    permutations: Annotated[
        int | None,
        typer.Option(min=1, help="Permutations of each weight (default: 20, fewer above 200 eigenvalues)."),
    ] = None,
    null_draws: Annotated[
        int | None, typer.Option(min=100, help="Draws of each null distribution (default: 8000).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler to compute on.", metavar="tcp://HOST:PORT")
    ] = None,
    weightwatcher: Annotated[
        bool, typer.Option("--weightwatcher", help="Also run WeightWatcher itself and keep its columns.")
    ] = False,
    **how: Any,
) -> None:
    """Measure alpha, the Marchenko-Pastur fit, KS and traps of every layer at every checkpoint.

    What is given may be run files, folders of checkpoints or models; the results of each lie beside it
    (RUN.spectra.h5). Only what is not measured yet is measured; Ctrl-C keeps what is done. Damaged checkpoints
    are named and left out, and the exit code is then 1. Where seed, permutations or draws are not given, those of
    an earlier analysis are kept.
    """
    from grokscope.errors import FAILED, UsageError

    if weightwatcher:
        from grokscope.analysis.weightwatcher_columns import require_weightwatcher

        require_weightwatcher()  # before what may take hours
    opened = open_every(runs, **how)
    for path, run in zip(runs, opened, strict=True):
        if not run.num_checkpoints:
            raise UsageError(f"{path} holds no checkpoint yet; train it first")
    damaged = False
    for number, run in enumerate(opened, start=1):
        parameters = _parameters(run, seed, permutations, null_draws)
        what = f"analysing {number} of {len(runs)}" if len(runs) > 1 else "analysing"
        spectra = _measured(run, parameters, jobs or -1, scheduler, what)
        _say_what_came_of_it(spectra)
        if weightwatcher:
            _ask_weightwatcher(run)
        damaged |= bool(spectra.damaged)
    if damaged:
        raise typer.Exit(FAILED)


def _measured(
    run: Trajectory, parameters: Parameters | None, jobs: int, scheduler: str | None, what: str
) -> Spectra:
    from grokscope.analysis import analyze as analyze_run

    with progress(what, unit="layers") as bar:
        return analyze_run(
            run, parameters=parameters, jobs=jobs, scheduler=scheduler, on_done=bar.update,
            patience=OTHERS_SECONDS,
        )  # fmt: skip


def _ask_weightwatcher(run: Trajectory) -> None:
    from grokscope.analysis.weightwatcher_columns import run_weightwatcher

    with progress("WeightWatcher", unit="checkpoints") as bar:
        run_weightwatcher(run, on_done=bar.update)


def _say_what_came_of_it(spectra: Spectra) -> None:
    from grokscope.analysis.spectra_layout import places
    from grokscope.trajectory.duplicates import same_weights

    sys.stderr.write(f"{int(spectra.done.sum())} of {spectra.done.size} layers measured\n")
    echo(f"{spectra.path}")
    if spectra.path != (place := places(spectra.run)[0]):
        echo(f"note: {place} keeps the spectra of another run or reading", err=True)
    for caveat in same_weights(spectra.run):
        echo(f"note: {caveat}", err=True)
    name_damaged(spectra.damaged)


def _parameters(
    run: Trajectory, seed: int | None, permutations: int | None, null_draws: int | None
) -> Parameters | None:
    """Return the parameters that the options ask for, or None where none of them was given."""
    from dataclasses import replace

    from grokscope.analysis import Parameters, Spectra

    given = {"seed": seed, "permutations": permutations, "null_draws": null_draws}
    chosen = {name: value for name, value in given.items() if value is not None}
    before = Spectra(run).parameters if chosen else Parameters()
    return replace(before, **chosen) if chosen else None
