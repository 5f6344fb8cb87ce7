"""The training states that a run file holds, for whoever begins from one of them and does not write the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from grokscope.runfile.layout import file_plan
from grokscope.runfile.preallocated import PreallocatedFile
from grokscope.runfile.reader import read_layout
from grokscope.runfile.resume_slots import KeptSlots, ResumeSlots, StateSlots


def state_steps(path: Path) -> tuple[int, ...]:
    """Return the steps of which a run file holds a whole training state, kept or to resume from; ascending."""
    with _states(path) as groups:
        return tuple(sorted({slots.step(slot) for slots in groups for slot in slots.whole}))


def load_state(path: Path, step: int) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of the whole training state at `step`, or None where a run file holds none."""
    with _states(path) as groups:
        found = ((slots, slot) for slots in groups for slot in slots.whole if slots.step(slot) == step)
        return next((slots.load(slot) for slots, slot in found), None)


@contextmanager
def _states(path: Path) -> Iterator[tuple[StateSlots, StateSlots]]:
    layout = read_layout(path)
    with closing(PreallocatedFile(path, file_plan(layout).datasets, writable=False)) as file:
        yield KeptSlots(file, layout), ResumeSlots(file, layout)
