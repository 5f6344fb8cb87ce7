"""`grokscope analyze`: measure every layer of every checkpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from grokscope.cli.common import echo, name_damaged, progress
from grokscope.cli.opening import AnyPath, Match, Network, StepRegex, StepsFrom, open_noted

if TYPE_CHECKING:
    from grokscope.analysis import Parameters
    from grokscope.trajectory import Trajectory

OTHERS_SECONDS = 30.0  # a viewer holds the spectra for one checkpoint: what was asked for waits, and wins


def analyze(
    run: AnyPath,
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
    step_regex: StepRegex = None,
    steps_from: StepsFrom = None,
    match: Match = None,
    network: Network = "",
) -> None:
    """Measure alpha, the Marchenko-Pastur fit, KS and traps of every layer at every checkpoint.

    What is given may be a run file, a folder of checkpoints or a model; the results lie beside it
    (RUN.spectra.h5). Only what is not measured yet is measured; Ctrl-C keeps what is done. Damaged checkpoints
    are named and left out, and the exit code is then 1. Where seed, permutations or draws are not given, those of
    an earlier analysis are kept.
    """
    from grokscope.analysis import analyze as analyze_run
    from grokscope.errors import UsageError
    from grokscope.trajectory.duplicates import same_weights

    opened = open_noted(run, step_regex, steps_from, match, network)
    if not opened.num_checkpoints:
        raise UsageError(f"{run} holds no checkpoint yet; train it first")
    parameters = _parameters(opened, seed, permutations, null_draws)
    with progress("analysing", unit="layers") as bar:
        spectra = analyze_run(
            opened, parameters=parameters, jobs=jobs or -1, scheduler=scheduler, on_done=bar.update,
            patience=OTHERS_SECONDS,
        )  # fmt: skip
    if weightwatcher:
        from grokscope.analysis.weightwatcher_columns import run_weightwatcher

        with progress("WeightWatcher", unit="checkpoints") as bar:
            run_weightwatcher(opened, on_done=bar.update)
    sys.stderr.write(f"{int(spectra.done.sum())} of {spectra.done.size} layers measured\n")
    echo(f"{spectra.path}")
    for caveat in same_weights(opened):
        echo(f"note: {caveat}", err=True)
    name_damaged(spectra.damaged)
    if spectra.damaged:
        raise typer.Exit(1)


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
