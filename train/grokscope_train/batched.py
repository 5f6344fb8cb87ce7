"""Many seeds at once in one process: their networks are stacked and trained as one batched computation.

Runs that stand at the same step are one stack. A kill may meet them while their states are being saved, one file
after another; each file keeps two states, so that the older one is in all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokscope.errors import UsageError
from grokscope.runfile import Run, RunWriter
from grokscope_train.choose import available_cores, has_gpu
from grokscope_train.config import TrainConfig, option
from grokscope_train.data import Experiment, load_dataset
from grokscope_train.engines import spin_briefly
from grokscope_train.loop import Outcome, train
from grokscope_train.progress import ProgressDisplay
from grokscope_train.recorded import data_folder, train_indices
from grokscope_train.run import create_file, open_recorded, refuse_early, reopen_file
from grokscope_train.signals import StopRequest
from grokscope_train.training import EnsembleTraining


@dataclass
class SeedRun:
    """One seed's run: what it trains, its file as soon as there is one, and how it was found (see Liveness)."""

    path: Path
    config: TrainConfig
    experiment: Experiment
    writer: RunWriter | None = None
    found: str = "static"

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps from which it can go on, newest first; a run that ended as it should never goes back."""
        saved = (self.writer.resume_steps if self.writer else ()) or (0,)
        return saved[:1] if self.found in ("interrupted", "finished") else saved

    def outcome(self) -> Outcome | None:
        """Return how the run has ended, or None where it can go on."""
        if self.writer is None or not self.writer.committed.any():
            return None
        if not math.isfinite(Run.open(self.path).metrics()["train_loss"][-1]):
            return Outcome.DIVERGED
        return Outcome.FINISHED if self.found == "finished" and self.writer.committed.all() else None


class SeedRuns:
    """The runs of several seeds, to be trained together; use it as a context manager, which closes their files."""

    def __init__(self, runs: Sequence[SeedRun], data_dir: Path | None, overwrite: bool = False) -> None:
        """Take runs that differ in their seeds alone."""
        self.runs, self._data_dir, self._overwrite = runs, data_dir, overwrite

    def __enter__(self) -> SeedRuns:
        """Return the runs themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        for run in self.runs:
            if run.writer is not None:
                run.writer.close()

    def train(self, name: str, stop: StopRequest, save_seconds: float) -> list[Outcome]:
        """Train one stack after another, with a progress bar called `name`; return each run's outcome."""
        outcomes = {run.path: outcome for run in self.runs if (outcome := run.outcome()) is not None}
        for step, stack in stacks([run for run in self.runs if run.path not in outcomes]):
            if not stop:
                outcomes |= self._train_stack(step, stack, name, stop, save_seconds)
        return [outcomes.get(run.path, Outcome.INTERRUPTED) for run in self.runs]

    def _train_stack(
        self, step: int, stack: Sequence[SeedRun], name: str, stop: StopRequest, save_seconds: float
    ) -> dict[Path, Outcome]:
        training = EnsembleTraining([run.config for run in stack], [run.experiment for run in stack])
        writers = self._ready(training, step, stack)
        last = stack[0].config.steps
        with ProgressDisplay(step, last, name if len(stack) == 1 else f"{name}, {len(stack)} seeds") as display:
            outcomes = train(training, writers, stop, display, save_seconds)
        return dict(zip([run.path for run in stack], outcomes, strict=True))

    def _ready(self, training: EnsembleTraining, step: int, stack: Sequence[SeedRun]) -> list[RunWriter]:
        """Create the files that are not there yet, and bring training and files to the stack's step."""
        writers = []
        for network, run in zip(training.networks, stack, strict=True):
            if run.writer is None:
                run.writer = create_file(
                    run.path, network, run.experiment, self._data_dir, self._overwrite, len(self.runs)
                )
            if not run.writer.resume_steps:
                run.writer.save_resume(0, network.state())
            run.writer.go_back(step)
            run.writer.heartbeat(step, math.nan)
            writers.append(run.writer)
        training.load_states(step, [_saved(writer) for writer in writers])
        return writers


def start(paths: Mapping[int, Path], config: TrainConfig, data_dir: Path | None, overwrite: bool) -> SeedRuns:
    """Prepare a run for each seed; `paths` are their files by seed."""
    for path in paths.values():
        refuse_early(path, overwrite)
    return SeedRuns(_new_runs(paths, resolve(config), data_dir), data_dir, overwrite)


def resume(
    paths: Mapping[int, Path], given: Mapping[str, Any], data_dir: Path | None, other_place: bool
) -> SeedRuns:
    """Open the files that are there; seeds without one are started, with the configuration of the others.

    `given` are the options that the user spelt out: they have to agree with the runs' own, but for more steps.
    """
    opened = {
        seed: open_recorded(path, {**given, "seed": seed}, other_place)
        for seed, path in paths.items()
        if path.exists()
    }
    [common, *_] = [config for _, config in opened.values()]
    for run, config in opened.values():
        _refuse_other(run, config, common, paths[common.seed])
    _refuse_engine(common)
    data_dir = data_folder(next(iter(opened.values()))[0], data_dir)
    indices = {seed: train_indices(run) for seed, (run, _) in opened.items()}
    runs = SeedRuns(_new_runs(paths, common, data_dir, indices), data_dir)
    with contextlib.ExitStack() as files:
        files.enter_context(runs)
        for member in runs.runs:
            if member.config.seed in opened:
                run = opened[member.config.seed][0]
                member.found = run.liveness().state
                member.writer = reopen_file(run, member.config, data_dir, len(paths))
        files.pop_all()
    return runs


def stacks(runs: Sequence[SeedRun]) -> list[tuple[int, list[SeedRun]]]:
    """Part runs by a step from which they can go on: the step that most of them share, and of those the newest."""
    left, parts = list(runs), []
    while left:
        counts = Counter(step for run in left for step in set(run.steps))
        step = max(counts, key=lambda step: (counts[step], step))
        parts.append((step, [run for run in left if step in run.steps]))
        left = [run for run in left if step not in run.steps]
    return parts


def is_natural(config: TrainConfig, paths: Iterable[Path]) -> bool:
    """Tell whether seeds are one batch unless the user says otherwise: on a GPU, or if their runs were on one."""
    if config.device == "auto":
        recorded = next((str(Run.open(path).config.get("device", "cpu")) for path in paths if path.exists()), "")
        return recorded.startswith("cuda") if recorded else config.engine in ("auto", "torch") and has_gpu()
    return config.device != "cpu"


def resolve(config: TrainConfig) -> TrainConfig:
    """Replace every "auto": PyTorch, on a GPU where there is one.

    Raises UsageError for an engine that cannot train stacks.
    """
    _refuse_engine(config)
    device = config.device
    if device == "auto":
        device = "cuda" if has_gpu() else "cpu"
    threads = config.threads or (available_cores() if device == "cpu" else 1)
    return dataclasses.replace(config, device=device, engine="torch", threads=threads)


def _new_runs(
    paths: Mapping[int, Path],
    config: TrainConfig,
    data_dir: Path | None,
    indices: Mapping[int, Any] | None = None,
) -> list[SeedRun]:
    spin_briefly()
    dataset = load_dataset(config.dataset, data_dir)
    configs = {seed: dataclasses.replace(config, seed=seed) for seed in paths}
    return [
        SeedRun(path, configs[seed], dataset.draw(configs[seed], (indices or {}).get(seed)))
        for seed, path in paths.items()
    ]


def _saved(writer: RunWriter) -> dict[str, Any]:
    saved = writer.load_resume()
    assert saved is not None  # there was one when the stack was chosen
    return saved[1]


def _refuse_engine(config: TrainConfig) -> None:
    if config.engine == "compiled":
        raise UsageError("--engine compiled trains one seed at a time; add --no-batched, or use --engine torch")


def _refuse_other(run: Run, config: TrainConfig, common: TrainConfig, first: Path) -> None:
    for field in dataclasses.fields(config):
        ours, theirs = getattr(config, field.name), getattr(common, field.name)
        if field.name != "seed" and ours != theirs:
            raise UsageError(
                f"{run.path} has {option(field.name)} {ours} and {first} {theirs}, which one batch cannot train; "
                "add --no-batched, or resume them apart"
            )
