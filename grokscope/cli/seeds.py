"""`grokscope train --seeds`: many seeds at once, as one batched computation or as a process each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from grokscope_train.config import TrainConfig

FAILED, INTERRUPTED = 1, 130


def train_seeds(output: Path, seeds: str, params: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Train every seed and print the files; `params` are all options, `given` those that were spelt out."""
    from grokscope_train.batched import is_natural
    from grokscope_train.config import TrainConfig
    from grokscope_train.ensemble import member_path, parse_seeds

    config = TrainConfig.from_mapping(params)
    paths = {seed: member_path(output, seed) for seed in parse_seeds(seeds)}
    batched = params["batched"]
    if batched is None:
        batched = is_natural(config, paths.values() if params["resume"] else ())
    if batched:
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
    from grokscope_train.ensemble import make_members, run_members
    from grokscope_train.progress import EnsembleDisplay
    from grokscope_train.signals import StopRequest

    threads = config.threads or 1
    members = make_members(paths, _member_options(params, given), threads, params["resume"])
    with StopRequest() as stop, EnsembleDisplay(config.steps, output.name) as display:
        finished = run_members(members, threads, stop, display)
    if not finished:
        _interrupted("stopped, everything saved; to go on, add --resume to the same command")


def _member_options(params: Mapping[str, Any], given: Mapping[str, Any]) -> Sequence[str]:
    """Spell the options that every member's own command shares."""
    options = [word for name, value in given.items() for word in (_spelt(name), str(value))]
    options += ["--save-seconds", str(params["save_seconds"])]
    options += ["--data-dir", str(params["data_dir"])] if params["data_dir"] else []
    return options + [_spelt(name) for name in ("overwrite", "other_place") if params[name]]


def _spelt(name: str) -> str:
    return "--" + name.replace("_", "-")


def _interrupted(message: str) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(INTERRUPTED)
