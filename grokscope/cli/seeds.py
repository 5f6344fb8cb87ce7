"""`grokscope train --seeds`: many seeds at once, as one computation, or as processes here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import typer

from grokscope.errors import UsageError

if TYPE_CHECKING:
    from grokscope_train.config import TrainConfig

FAILED, INTERRUPTED = 1, 130
ADD_RESUME = "stopped, everything saved; to go on, add --resume to the same command"


def train_seeds(output: Path, seeds: str, params: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Train every seed and print the files; `params` are all options, `given` those that were spelt out."""
    from grokscope_train.batched import is_natural
    from grokscope_train.config import TrainConfig
    from grokscope_train.ensemble import member_path, parse_seeds

    config = TrainConfig.from_mapping(params)
    paths = {seed: member_path(output, seed) for seed in parse_seeds(seeds)}
    batched = params["batched"]
    if batched and params["scheduler"]:
        raise UsageError("--scheduler trains each seed by itself, --batched all in one process; leave one out")
    if params["scheduler"]:
        _train_on_cluster(output, paths, config, params, given)
    elif batched or (batched is None and is_natural(config, paths.values() if params["resume"] else ())):
        _train_batched(output, paths, config, params, given)
    else:
        _train_processes(output, paths, config, params, given)
    for path in paths.values():
        typer.echo(path)


def _train_batched(
    output: Path,
    paths: Mapping[int, Path],
    config: TrainConfig,
    params: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    """Train all seeds in this process."""
    from grokscope_train import batched
    from grokscope_train.loop import Outcome
    from grokscope_train.signals import StopRequest

    with StopRequest() as stop:
        if params["resume"] and any(path.exists() for path in paths.values()):
            runs = batched.resume(paths, given, params["data_dir"], params["other_place"])
        else:
            runs = batched.start(paths, config, params["data_dir"], params["overwrite"])
        with runs:
            outcomes = runs.train(output.name, stop, params["save_seconds"])
    if Outcome.INTERRUPTED in outcomes:
        words = ["grokscope", "train", "-o", quote(str(output)), "--seeds", params["seeds"], "--resume"]
        words += ["--batched"] if params["batched"] else []
        _interrupted(f"stopped, everything saved; to go on:\n  {' '.join(words)}")
    if Outcome.DIVERGED in outcomes:
        raise typer.Exit(FAILED)


def _train_processes(
    output: Path,
    paths: Mapping[int, Path],
    config: TrainConfig,
    params: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    """Train every seed in a process of its own."""
    from grokscope_train.ensemble import MemberProcess, run_members
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    commands = _member_commands(paths, config, params, given, params["data_dir"])
    members = [MemberProcess(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(config.steps, output.name) as display:
        finished = run_members(members, config.threads or 1, stop, display)
    if not finished:
        _interrupted(ADD_RESUME)


def _train_on_cluster(
    output: Path,
    paths: Mapping[int, Path],
    config: TrainConfig,
    params: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    """Train every seed on a worker of a Dask cluster, which sees the same files by the same names."""
    from grokscope_train.on_cluster import MemberTask, run_on_cluster
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    data_dir = params["data_dir"] and params["data_dir"].absolute()
    absolute = {seed: path.absolute() for seed, path in paths.items()}
    commands = _member_commands(absolute, config, params, given, data_dir)
    members = [MemberTask(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(config.steps, output.name) as display:
        finished = run_on_cluster(members, params["scheduler"], stop, display)
    if not finished:
        _interrupted(ADD_RESUME)


def _member_commands(
    paths: Mapping[int, Path],
    config: TrainConfig,
    params: Mapping[str, Any],
    given: Mapping[str, Any],
    data_dir: Path | None,
) -> dict[Path, list[str]]:
    """Return the arguments of every seed's own command, by its file."""
    from grokscope_train.ensemble import member_arguments

    options = [word for name, value in given.items() for word in (_spelt(name), str(value))]
    options += ["--save-seconds", str(params["save_seconds"])]
    options += ["--data-dir", str(data_dir)] if data_dir else []
    options += [_spelt(name) for name in ("overwrite", "other_place") if params[name]]
    threads, resume = config.threads or 1, params["resume"]
    return {path: member_arguments(seed, path, options, threads, resume) for seed, path in paths.items()}


def _spelt(name: str) -> str:
    return "--" + name.replace("_", "-")


def _interrupted(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(INTERRUPTED)
