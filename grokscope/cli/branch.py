"""`grokscope branch`: a new run that leaves another's trajectory and goes on with something changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grokscope.cli.common import Overwrite, RunPath, echo, steps_of
from grokscope.cli.train import report_outcome, spelt_out, step_option, train_option

EDITS = "What is done to the weights"


def branch(
    context: typer.Context,
    run: RunPath,
    at: Annotated[
        int,
        typer.Option(
            help="Leave the parent at its last checkpoint up to this step.",
            parser=steps_of("--at"),
            metavar="STEP",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The branch's run file.", metavar="BRANCH.h5")],
    steps: Annotated[int | None, step_option("--steps", "Last step (default: the parent's).")] = None,
    lr: Annotated[float | None, train_option("Learning rate.")] = None,
    weight_decay: Annotated[float | None, train_option("Weight decay.")] = None,
    beta1: Annotated[float | None, train_option("Decay rate of the first moment.")] = None,
    beta2: Annotated[float | None, train_option("Decay rate of the second moment.")] = None,
    eps: Annotated[float | None, train_option("What is added to the root of the second moment.")] = None,
    optimizer: Annotated[
        str | None, train_option("adamw, adam or sgd; another one begins with fresh moments.")
    ] = None,
    freeze: Annotated[str | None, train_option("Layers that rest, such as fc1 or fc1,fc2.")] = None,
    fresh_moments: Annotated[
        bool, train_option("Begin with moments of zero.", "Experiment", "--fresh-moments")
    ] = False,
    without_trap: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Take correlation trap N out of every layer that has it.",
            metavar="N",
            rich_help_panel=EDITS,
        ),
    ] = None,
    open_gates: Annotated[
        bool,
        train_option("Set fc1's biases so that each unit fires on 30 % of the images.", EDITS, "--open-gates"),
    ] = False,
    clip_mean: Annotated[bool, train_option("Subtract each layer's mean weight.", EDITS, "--clip-mean")] = False,
    checkpoints_per_decade: Annotated[
        int | None, train_option("Checkpoints per factor of ten in steps.", "File")
    ] = None,
    keep_states: Annotated[
        str | None, train_option("Keep training states: per-decade, or steps such as 1k,10k.", "File")
    ] = None,
    save_seconds: Annotated[float, train_option("Save the state to resume from this often.", "File")] = 30.0,
    data_dir: Annotated[Path | None, train_option("Folder with the dataset, in torchvision's layout.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a new run that leaves RUN at a checkpoint, with the options that are given changed.

    It begins with the parent's training state where the parent keeps one of that step (`train --keep-states`, and
    the last one saved), else with its weights and fresh moments, which is said. From such a state and without any
    change it equals its parent bit for bit. Stopped, it goes on by `grokscope train -o BRANCH.h5 --resume`.
    """
    from grokscope_train.branch import Edits, start_branch
    from grokscope_train.loop import train as train_loop
    from grokscope_train.progress import ProgressDisplay
    from grokscope_train.signals import StopRequest

    from grokscope.cli.seeds import of_experiment

    edits = Edits(without_trap, open_gates, clip_mean)
    with StopRequest() as stop:
        training, writer = start_branch(
            run, at, output, of_experiment(spelt_out(context)), edits, fresh_moments=fresh_moments,
            data_dir=data_dir, overwrite=overwrite, tell=_note,
        )  # fmt: skip
        with writer:
            last = int(writer.steps[-1])
            with ProgressDisplay(training.step, last, output.name) as display:
                [outcome] = train_loop(training, [writer], stop, display, save_seconds)
            report_outcome(outcome, output, training.step, last)


def _note(sentence: str) -> None:
    echo(f"note: {sentence}", err=True)
