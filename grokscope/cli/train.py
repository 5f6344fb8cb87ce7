"""`grokscope train`: run the experiment and keep every checkpoint in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import Overwrite, echo, note_if_moved, steps_of
from grokscope.cli.seeds import of_experiment, train_seeds
from grokscope.errors import FAILED, INTERRUPTED, UsageError

if TYPE_CHECKING:
    from grokscope_train.loop import Outcome

EXPERIMENT, PLACE, FILE = "Experiment", "Where it is computed", "File"


def train_option(text: str, panel: str = EXPERIMENT, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel)


def step_option(name: str, text: str, panel: str = EXPERIMENT) -> Any:
    return typer.Option(name, help=text, rich_help_panel=panel, parser=steps_of(name), metavar="N")


def train(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The run file.", metavar="RUN.h5")],
    steps: Annotated[
        int, step_option("--steps", "Steps, as 500000, 500k or 5e5; more with --resume.")
    ] = 10_000_000,
    weight_decay: Annotated[float, train_option("Weight decay.")] = 0.0,
    lr: Annotated[float, train_option("Learning rate.")] = 5e-4,
    batch_size: Annotated[int, train_option("Images in a batch.")] = 200,
    width: Annotated[int, train_option("Neurons in each hidden layer.")] = 200,
    depth: Annotated[int, train_option("Linear layers; 3 is 784-200-200-10.")] = 3,
    activation: Annotated[str, train_option("relu, tanh, gelu or sigmoid.")] = "relu",
    init_scale: Annotated[float, train_option("Factor on PyTorch's default initialisation.")] = 8.0,
    loss: Annotated[str, train_option("mse or cross-entropy.")] = "mse",
    optimizer: Annotated[str, train_option("adamw, adam or sgd.")] = "adamw",
    beta1: Annotated[float, train_option("Decay rate of the first moment.")] = 0.9,
    beta2: Annotated[float, train_option("Decay rate of the second moment.")] = 0.999,
    eps: Annotated[float, train_option("What is added to the root of the second moment.")] = 1e-8,
    freeze: Annotated[str, train_option("Layers that rest, such as fc1 or fc1,fc2.")] = "",
    seeds: Annotated[
        str | None, train_option("Many seeds at once, 0-9 or 0,3: a file RUN-seedN.h5 each.", PLACE)
    ] = None,
    batched: Annotated[
        bool | None,
        train_option(
            "With --seeds: one batched computation, or a process each (default: batched on a GPU).",
            PLACE,
            "--batched/--no-batched",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="With --seeds: a Dask scheduler, on whose workers the processes run.",
            metavar="tcp://HOST:PORT",
            rich_help_panel=PLACE,
        ),
    ] = None,
    seed: Annotated[int, train_option("Seed of images, initialisation and order.")] = 0,
    dataset: Annotated[str, train_option("mnist, fashion-mnist, kmnist or digits (needs no network).")] = "mnist",
    train_points: Annotated[int, train_option("Training images.")] = 1000,
    train_images: Annotated[
        str, train_option("Which: stratified (drawn by the seed, as many of each class) or first.")
    ] = "stratified",
    random_labels: Annotated[
        bool, train_option("Shuffle the training images' labels: a control.", EXPERIMENT, "--random-labels")
    ] = False,
    data_dir: Annotated[Path | None, train_option("Folder with the dataset, in torchvision's layout.")] = None,
    checkpoints_per_decade: Annotated[int, train_option("Checkpoints per factor of ten in steps.", FILE)] = 20,
    first_checkpoint: Annotated[
        int, step_option("--first-checkpoint", "No checkpoints between step 0 and this one.", FILE)
    ] = 1,
    store_dtype: Annotated[
        str, train_option("float32 or float64, for the weights in the file.", FILE)
    ] = "float32",
    save_seconds: Annotated[float, train_option("Save the state to resume from this often.", FILE)] = 30.0,
    keep_states: Annotated[
        str, train_option("Keep training states to branch from: per-decade, or steps such as 1k,10k.", FILE)
    ] = "",
    overwrite: Overwrite = False,
    resume: Annotated[bool, train_option("Go on with the run file where it stopped.", FILE, "--resume")] = False,
    dtype: Annotated[str, train_option("float64 or float32, for training.", PLACE)] = "float64",
    device: Annotated[str, train_option("auto, cpu, cuda or cuda:N.", PLACE)] = "auto",
    engine: Annotated[str, train_option("auto, compiled or torch.", PLACE)] = "auto",
    threads: Annotated[int, train_option("Threads; 0 chooses.", PLACE)] = 0,
    other_place: Annotated[
        bool,
        train_option("With --resume: accept another engine, device or thread count.", PLACE, "--other-place"),
    ] = False,
) -> None:
    """Train a small network for very long and keep every checkpoint; the defaults are the paper's Table 3.

    Ctrl-C (or SIGTERM, SIGUSR1, SIGHUP) saves the state and exits with 130; `--resume` goes on, bit by bit
    as if nothing had happened. A second Ctrl-C exits at once.
    """
    from grokscope_train import run
    from grokscope_train.config import TrainConfig
    from grokscope_train.loop import train as train_loop
    from grokscope_train.progress import ProgressDisplay
    from grokscope_train.signals import StopRequest

    if seeds is not None:
        train_seeds(output, seeds, context.params, spelt_out(context))
        return
    for name in ("batched", "scheduler"):
        if context.params[name] is not None:
            raise UsageError(f"--{name} is for many seeds; name them by --seeds, such as --seeds 0-9")
    with StopRequest() as stop:
        if resume:
            training, writer = run.resume(output, of_experiment(spelt_out(context)), data_dir, other_place)
            note_if_moved(writer.config)
        else:
            training, writer = run.start(output, TrainConfig.from_mapping(context.params), data_dir, overwrite)
        with writer:
            last = int(writer.steps[-1])
            with ProgressDisplay(training.step, last, output.name) as display:
                [outcome] = train_loop(training, [writer], stop, display, save_seconds)
            report_outcome(outcome, output, training.step, last)


def spelt_out(context: typer.Context) -> dict[str, Any]:
    """Return the options that were spelt out on the command line."""
    return {
        name: value
        for name, value in context.params.items()
        if str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    }


def report_outcome(outcome: Outcome, output: Path, step: int, last: int) -> None:
    """Say how it ended, and how to go on."""
    from shlex import quote

    from grokscope_train.loop import Outcome

    if outcome is Outcome.FINISHED:
        echo(output)
        return
    if outcome is Outcome.DIVERGED:
        raise typer.Exit(FAILED)  # the display has said so
    echo(f"stopped at step {step:,} of {last:,}, everything saved; to go on:", err=True)
    echo(f"  grokscope train -o {quote(str(output))} --resume", err=True)
    raise typer.Exit(INTERRUPTED)
