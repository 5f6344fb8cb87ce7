"""What the user says about checkpoints that do not say it themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Opening:
    """How somebody's checkpoints are to be read; where nothing is said, grokscope finds it out.

    step_regex: its first group is the step in a name. steps_from: a file of lines `name,step`. match: a shell
    pattern for the names that count. network: which of several in a file, such as its average. metrics: a table
    with a column of steps.
    """

    step_regex: str | None = None
    steps_from: str | Path | None = None
    match: str | None = None
    network: str = ""
    metrics: str | Path | None = None
