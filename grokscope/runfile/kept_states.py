"""The training states that a run file holds, for whoever begins from one of them and does not write the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from grokscope.errors import BadRunFile
from grokscope.runfile.exact_layout import OtherLayout
from grokscope.runfile.layout import file_plan
from grokscope.runfile.opening import read_layout
from grokscope.runfile.preallocated import PreallocatedFile
from grokscope.runfile.resume_slots import KeptSlots, ResumeSlots, StateSlots


def state_steps(path: Path) -> tuple[int, ...]:
    """Return the steps of which a run file holds a whole training state, kept or to resume from; ascending.

    Raises BadRunFile where its datasets do not lie as grokscope writes them.
    """
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
    try:
        opened = PreallocatedFile(path, file_plan(layout).datasets, writable=False)
    except OtherLayout as error:
        raise BadRunFile(
            f"the training states of {path} cannot be read: {error}; branch a copy as grokscope wrote it"
        ) from None
    with closing(opened) as file:
        yield KeptSlots(file, layout), ResumeSlots(file, layout)
