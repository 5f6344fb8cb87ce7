"""One way in: whatever lies at a path, as a trajectory."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py

from grokscope.errors import UsageError
from grokscope.runfile import Run
from grokscope.trajectory.opening import Opening
from grokscope.trajectory.protocol import Trajectory
from grokscope.trajectory.whose import is_of_grokscope

HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Place:
    """Where a trajectory is, and what the user has said of it: enough to open it again, elsewhere."""

    path: Path
    opening: Opening = field(default_factory=Opening)

    @classmethod
    def of(cls, trajectory: Trajectory) -> Place:
        """Return the place of an opened trajectory."""
        return cls(trajectory.path, getattr(trajectory, "opening", Opening()))

    @classmethod
    def named(cls, words: Sequence[str]) -> Place:
        """Return the place that `words` said, in another process."""
        path, said = words
        return cls(Path(path), Opening(**json.loads(said)))

    @property
    def words(self) -> tuple[str, str]:
        """Two texts from which `named` makes the place again."""
        return str(self.path), json.dumps(asdict(self.opening), default=str)

    def open(self) -> Trajectory:
        """Open it anew."""
        return open_trajectory(self.path, self.opening)


def apart(trajectory: Trajectory) -> Trajectory:
    """Return the same trajectory for another thread: a run as it is, since opening large ones takes long."""
    return copy.copy(trajectory) if isinstance(trajectory, Run) else Place.of(trajectory).open()


def open_trajectory(path: str | Path, opening: Opening | None = None) -> Trajectory:
    """Open what lies at a path: a run file, a folder of checkpoints, a file with many of them, or a single model.

    Raises BadRunFile or UsageError, in one sentence, where it holds no checkpoint that can be read.
    """
    found = Path(path)
    try:
        if found.is_dir() or (found.is_file() and not _may_be_run(found)):
            from grokscope.trajectory.checkpoints import Checkpoints  # which run files do not need, and takes long

            return Checkpoints(found, opening)
    except PermissionError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    return Run(found)


def _may_be_run(path: Path) -> bool:
    """Tell whether the run file's reader should say what a file is: its own, also a damaged one."""
    try:
        with path.open("rb") as file:
            is_hdf5 = file.read(len(HDF5)) == HDF5
    except OSError:
        return True
    return is_of_grokscope(path) if is_hdf5 and h5py.is_hdf5(path) else path.suffix == ".h5"
