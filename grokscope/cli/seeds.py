"""`grokscope train --seeds`: many seeds at once, as one computation, or as processes here or on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

import typer

from grokscope.cli.common import echo, note_if_moved
from grokscope.errors import FAILED, INTERRUPTED, UsageError

if TYPE_CHECKING:
    from grokscope_train.config import TrainConfig

NOT_AGAIN = ("output", "overwrite", "resume")  # options that the command which goes on does not repeat


@dataclass(frozen=True)
class Request:
    """What was asked for: each seed's file, all options by name, and those that were spelt out."""

    output: Path
    paths: Mapping[int, Path]
    config: TrainConfig
    params: Mapping[str, Any]
    spelt: Mapping[str, Any]

    @property
    def given(self) -> dict[str, Any]:
        """The experiment's options that were spelt out."""
        return of_experiment(self.spelt)


def of_experiment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that a run's configuration holds."""
    from dataclasses import fields

    from grokscope_train.config import TrainConfig

    names = {field.name for field in fields(TrainConfig)}
    return {name: value for name, value in options.items() if name in names}


def train_seeds(output: Path, seeds: str, params: Mapping[str, Any], spelt: Mapping[str, Any]) -> None:
    """Train every seed and print the files; `params` are all options, `spelt` those that were spelt out."""
    from grokscope_train.batched import is_natural
    from grokscope_train.config import TrainConfig
    from grokscope_train.ensemble import member_path, parse_seeds
    from grokscope_train.run import refuse_early

    config = TrainConfig.from_mapping(params)
    paths = {seed: member_path(output, seed) for seed in parse_seeds(seeds)}
    request = Request(output, paths, config, params, spelt)
    batched = params["batched"]
    if batched and params["scheduler"]:
        raise UsageError("--scheduler trains each seed by itself, --batched all in one process; leave one out")
    if not params["resume"]:
        for path in paths.values():
            refuse_early(path, params["overwrite"])
    if params["scheduler"]:
        _train_on_cluster(request)
    elif batched or (batched is None and is_natural(config, paths.values() if params["resume"] else ())):
        _train_batched(request)
    else:
        _train_processes(request)
    for path in paths.values():
        echo(path)


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
        _interrupted(request)
    if Outcome.DIVERGED in outcomes:
        raise typer.Exit(FAILED)


def _train_processes(request: Request) -> None:
    """Train every seed in a process of its own."""
    from grokscope_train.ensemble import MemberProcess, run_members
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    commands = _member_commands(request)
    members = [MemberProcess(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(*_shown(request)) as display:
        finished = run_members(members, request.config.threads or 1, stop, display)
    if not finished:
        _interrupted(request)


def _train_on_cluster(request: Request) -> None:
    """Train every seed on a worker of a Dask cluster, which sees the same files by the same names."""
    from grokscope_train.on_cluster import MemberTask, run_on_cluster
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    data_dir = request.params["data_dir"] and request.params["data_dir"].absolute()
    paths = {seed: path.absolute() for seed, path in request.paths.items()}
    commands = _member_commands(replace(request, paths=paths, params={**request.params, "data_dir": data_dir}))
    members = [MemberTask(path, arguments) for path, arguments in commands.items()]
    with StopRequest() as stop, EnsembleDisplay(*_shown(request)) as display:
        finished = run_on_cluster(members, request.params["scheduler"], stop, display)
    if not finished:
        _interrupted(request)


def _shown(request: Request) -> tuple[int, str, set[str]]:
    """Return what is to be shown of the members: their steps, their name, and which runs they replace."""
    from grokscope_train.ensemble import identity

    replaced = {identity(path) for path in request.paths.values()} if request.params["overwrite"] else set()
    return request.config.steps, request.output.name, replaced


def _member_commands(request: Request) -> dict[Path, list[str]]:
    """Return the arguments of every seed's own command, by its file."""
    from grokscope_train.ensemble import member_arguments

    params, data_dir = request.params, request.params["data_dir"]

    options = [word for name, value in request.given.items() for word in _again(name, value)]
    options += ["--save-seconds", str(params["save_seconds"])]
    options += ["--data-dir", str(data_dir)] if data_dir else []
    options += [_spelt(name) for name in ("overwrite", "other_place") if params[name]]
    threads, resume = request.config.threads or 1, params["resume"]
    return {path: member_arguments(seed, path, options, threads, resume) for seed, path in request.paths.items()}


def _spelt(name: str) -> str:
    return "--" + name.replace("_", "-")


def _again(name: str, value: Any) -> list[str]:
    """Spell an option with its value; a flag says it in its name."""
    if isinstance(value, bool):
        return [_spelt(name if value else f"no_{name}")]
    return [_spelt(name), str(value)]


def _interrupted(request: Request) -> None:
    """Print the command that goes on: it repeats the options, for the seeds that have no file yet."""
    words = ["grokscope", "train", "-o", str(request.output), "--resume"]
    for name, value in request.spelt.items():
        words += [] if name in NOT_AGAIN else _again(name, value)
    echo("stopped, everything saved; to go on:", err=True)
    echo(f"  {join(words)}", err=True)
    raise typer.Exit(INTERRUPTED)
