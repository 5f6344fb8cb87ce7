"""Training states that a run file keeps beside those to resume from: where branches begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.runfile.layout import Arrays, Layout
from grokscope.runfile.preallocated import PreallocatedFile
from grokscope.runfile.reader import read_layout
from grokscope.runfile.resume_slots import ResumeSlots
from grokscope.runfile.state_slot import StateSlot


class KeptStates:
    """The kept states of an open run file, each in a slot of its own that is written once."""

    def __init__(self, file: PreallocatedFile, layout: Layout) -> None:
        """Look at the slots of `file`, which has the given layout."""
        self.slots = tuple(StateSlot(file, f"kept/{i}", tuple(layout.resume)) for i in range(layout.kept_states))

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps of the whole states, ascending."""
        return tuple(sorted(slot.step for slot in self.slots if slot.is_whole))

    def load(self, step: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of the state at `step`, one of `steps`."""
        return next(slot.load() for slot in self.slots if slot.is_whole and slot.step == step)

    def save(self, step: int, arrays: Arrays) -> None:
        """Keep a state, and return when it is on the disk; one that is kept already stays as it is.

        Raises UsageError where every slot is taken.
        """
        if step in self.steps:
            return
        free = next((slot for slot in self.slots if not slot.is_whole), None)
        if free is None:
            raise UsageError(f"the run file has room for {len(self.slots)} kept states, and all are taken")
        free.save(1, step, arrays)


def state_steps(path: Path) -> tuple[int, ...]:
    """Return the steps of which a run file holds a whole training state, kept or to resume from; ascending."""
    with _states(path) as (resume, kept):
        return tuple(sorted({*kept.steps, *(resume.step(slot) for slot in resume.whole)}))


def load_state(path: Path, step: int) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of the whole training state at `step`, or None where a run file holds none."""
    with _states(path) as (resume, kept):
        if step in kept.steps:
            return kept.load(step)
        return next((resume.load(slot) for slot in resume.whole if resume.step(slot) == step), None)


@contextmanager
def _states(path: Path) -> Iterator[tuple[ResumeSlots, KeptStates]]:
    layout = read_layout(path)
    with closing(PreallocatedFile(path, writable=False)) as file:
        yield ResumeSlots(file, layout), KeptStates(file, layout)
