"""`grokscope train --seeds`: many seeds at once, as one computation, or as processes here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import typer

from grokscope.cli.common import note_if_moved
from grokscope.errors import UsageError

if TYPE_CHECKING:
    from grokscope_train.config import TrainConfig

FAILED, INTERRUPTED = 1, 130
ADD_RESUME = "stopped, everything saved; to go on, add --resume to the same command"


@dataclass(frozen=True)
class Request:
    """What was asked for: each seed's file, all options by name, and the experiment's that were spelt out."""

    output: Path
    paths: Mapping[int, Path]
    config: TrainConfig
    params: Mapping[str, Any]
    given: Mapping[str, Any]


def train_seeds(output: Path, seeds: str, params: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Train every seed and print the files; `params` are all options, `given` those that were spelt out."""
    from grokscope_train.batched import is_natural
    from grokscope_train.config import TrainConfig
    from grokscope_train.ensemble import member_path, parse_seeds

    config = TrainConfig.from_mapping(params)
    paths = {seed: member_path(output, seed) for seed in parse_seeds(seeds)}
    request = Request(output, paths, config, params, given)
    batched = params["batched"]
    if batched and params["scheduler"]:
        raise UsageError("--scheduler trains each seed by itself, --batched all in one process; leave one out")
    if params["scheduler"]:
        _train_on_cluster(request)
    elif batched or (batched is None and is_natural(config, paths.values() if params["resume"] else ())):
        _train_batched(request)
    else:
        _train_processes(request)
    for path in paths.values():
        typer.echo(path)


def _train_batched(request: Request) -> None:
    """Train all seeds in this process."""
    from grokscope_train import batched
    from grokscope_train.loop import Outcome
    from grokscope_train.signals import StopRequest

    params, paths = request.params, request.paths
    with StopRequest() as stop:
        if params["resume"] and any(path.exists() for path in paths.values()):
            runs = batched.resume(paths, request.given, params["data_dir"], params["other_place"])
            note_if_moved(next(run.writer.config for run in runs.runs if run.writer))
        else:
            runs = batched.start(paths, request.config, params["data_dir"], params["overwrite"])
        with runs:
            outcomes = runs.train(request.output.name, stop, params["save_seconds"])
    if Outcome.INTERRUPTED in outcomes:
        words = ["grokscope", "train", "-o", quote(str(request.output)), "--seeds", params["seeds"], "--resume"]
        words += ["--batched"] if params["batched"] else []
        _interrupted(f"stopped, everything saved; to go on:\n  {' '.join(words)}")
    if Outcome.DIVERGED in outcomes:
        raise typer.Exit(FAILED)


def _train_processes(request: Request) -> None:
    """Train every seed in a process of its own."""
    from grokscope_train.ensemble import MemberProcess, run_members
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    commands = _member_commands(request)
    members = [MemberProcess(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(request.config.steps, request.output.name) as display:
        finished = run_members(members, request.config.threads or 1, stop, display)
    if not finished:
        _interrupted(ADD_RESUME)


def _train_on_cluster(request: Request) -> None:
    """Train every seed on a worker of a Dask cluster, which sees the same files by the same names."""
    from grokscope_train.on_cluster import MemberTask, run_on_cluster
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    data_dir = request.params["data_dir"] and request.params["data_dir"].absolute()
    paths = {seed: path.absolute() for seed, path in request.paths.items()}
    commands = _member_commands(replace(request, paths=paths, params={**request.params, "data_dir": data_dir}))
    members = [MemberTask(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(request.config.steps, request.output.name) as display:
        finished = run_on_cluster(members, request.params["scheduler"], stop, display)
    if not finished:
        _interrupted(ADD_RESUME)


def _member_commands(request: Request) -> dict[Path, list[str]]:
    """Return the arguments of every seed's own command, by its file."""
    from grokscope_train.ensemble import member_arguments

    params, data_dir = request.params, request.params["data_dir"]

    options = [word for name, value in request.given.items() for word in (_spelt(name), str(value))]
    options += ["--save-seconds", str(params["save_seconds"])]
    options += ["--data-dir", str(data_dir)] if data_dir else []
    options += [_spelt(name) for name in ("overwrite", "other_place") if params[name]]
    threads, resume = request.config.threads or 1, params["resume"]
    return {path: member_arguments(seed, path, options, threads, resume) for seed, path in request.paths.items()}


def _spelt(name: str) -> str:
    return "--" + name.replace("_", "-")


def _interrupted(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(INTERRUPTED)
