"""Which runs are one experiment with other seeds, so that they may be averaged, and which are the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TypeVar

from grokscope_train.config import ORIGIN, TrainConfig

from grokscope.errors import UsageError
from grokscope.trajectory import Trajectory
from grokscope.trajectory.lineage import lineage_of

NOT_THE_EXPERIMENT = ("seed", "data_dir", "environment", "engine", "device", "threads", "keep_states", "files")


class OfRun(Protocol):
    """What is known of a run, whatever else it holds."""

    @property
    def path(self) -> Path:
        """The run's file."""

    @property
    def uuid(self) -> str:
        """The run's identity."""

    @property
    def experiment(self) -> Mapping[str, str]:
        """The run's experiment, see `experiment_of`."""


Known = TypeVar("Known", bound=OfRun)


def experiment_of(run: Trajectory) -> dict[str, str]:
    """The configuration and the layers' shapes as text by name, without the seed and where it was computed.

    Runs of the `same_experiment` may be averaged. What a run of an older `grokscope train` does not say had its
    default.
    """
    recorded = {**(asdict(TrainConfig()) if run.origin == ORIGIN else {}), **run.config}
    shapes = (f"{layer.name} {'×'.join(map(str, layer.shape))}" for layer in run.layers)
    config = {name: str(value) for name, value in recorded.items() if name not in NOT_THE_EXPERIMENT}
    if lineage := lineage_of(run.config):  # seeds leave their parents at peaks of their own
        config["branch"] = ", ".join(("kept state" if lineage.kept else "stored weights", *lineage.edits))
    return config | {"layers": ", ".join(shapes)}


def same_experiment(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two runs are known to be one experiment: of runs that record no configuration nothing is known."""
    return one == other and bool(one.keys() - {"layers"})


def refuse_twice(runs: Sequence[OfRun]) -> None:
    """Raise UsageError where two are of the same run, which would count twice."""
    seen: dict[str, OfRun] = {}
    for run in runs:
        if (first := seen.setdefault(run.uuid, run)) is not run:
            raise UsageError(f"{first.path} and {run.path} are the same run ({run.uuid}); give one of them")


def experiments(runs: Sequence[Known]) -> list[list[Known]]:
    """Part runs by their experiments, in the order in which they come."""
    groups: list[list[Known]] = []
    for run in runs:
        for group in groups:
            if same_experiment(group[0].experiment, run.experiment):
                group.append(run)
                break
        else:
            groups.append([run])
    return groups


def differences(groups: Sequence[Sequence[OfRun]]) -> list[str]:
    """Say of each group in what it differs from the others: "weight_decay 0.01"; "" where there is one group."""
    each = [group[0].experiment for group in groups]
    names = sorted(set().union(*each))
    different = [name for name in names if len({experiment.get(name) for experiment in each}) > 1]
    return [", ".join(f"{name} {experiment.get(name, '–')}" for name in different) for experiment in each]


SCHEDULE = ("first_checkpoint", "checkpoints_per_decade", "steps")
"""How long and how often: named only where nothing else tells experiments apart."""


def labels(groups: Sequence[Sequence[OfRun]]) -> list[str]:
    """A short name for each group: in what it differs, how long it trained only where nothing else differs."""
    each = differences(groups)
    short = [", ".join(word for word in words.split(", ") if word.split(" ")[0] not in SCHEDULE) for words in each]
    return short if len(set(short)) == len(groups) else each


def is_the_papers(experiment: Mapping[str, str]) -> bool:
    """Whether a run is the paper's experiment without weight decay, so that its values stand beside.

    That is the default in everything, but for how long it trains and what it keeps.
    """
    free = {*NOT_THE_EXPERIMENT, *SCHEDULE, "store_dtype"}
    wanted = {name: str(value) for name, value in asdict(TrainConfig()).items() if name not in free}
    return wanted.items() <= experiment.items()
