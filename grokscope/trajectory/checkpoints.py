"""Anyone's checkpoints as a trajectory: a folder of them, one file with many, or a single model."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import DamagedCheckpoint, UsageError
from grokscope.importers import layers_of
from grokscope.importers.tensors import LayerSource, Tensors, widened
from grokscope.runfile import LayerSpec, LeftOut, Liveness
from grokscope.trajectory.contents import (
    Contents,
    Layer,
    Source,
    Stamp,
    Unreadable,
    contents_of,
    files_about,
    sources_of,
    stamps_of,
)
from grokscope.trajectory.elsewhere import Elsewhere, State
from grokscope.trajectory.layouts import find_checkpoints
from grokscope.trajectory.metrics import Metrics, metrics_of_checkpoints
from grokscope.trajectory.numbered import Numbering
from grokscope.trajectory.numbering import number_checkpoints
from grokscope.trajectory.opening import Opening
from grokscope.trajectory.union import Union

MISSING = np.float32(np.nan)
STATIC = Liveness("static", -1, float("nan"), float("nan"), float("nan"))


class Checkpoints:
    """A Trajectory over files that grokscope did not write; see there for its properties.

    Weights are read from the files when they are asked for, a layer at a time; only descriptions are kept.
    """

    def __init__(self, path: Path, opening: Opening | None = None) -> None:
        """Find the checkpoints, read their descriptions, and give them their steps."""
        self.path = path
        self.opening = opening or Opening()
        self._known: dict[Source, Contents | Unreadable] = {}
        self._keys: dict[tuple[Stamp, int | None], str] = {}
        self._opened: tuple[Source, Tensors, dict[str, LayerSource]] | None = None
        self._look(*self._find())

    def _find(self) -> tuple[list[Source], list[LeftOut]]:
        found, left_out = find_checkpoints(self.path, self.opening.match)
        return [source for each in found for source in sources_of(each)], left_out

    def _look(self, sources: Sequence[Source], left_out: Sequence[LeftOut]) -> None:
        """Read what is new or has changed, and put all in the order of their steps."""
        self._known = {
            source: self._current(source) or contents_of(source, self.opening.network) for source in sources
        }
        whole = {source: known for source, known in self._known.items() if isinstance(known, Contents)}
        unreadable = [known.left_out for known in self._known.values() if isinstance(known, Unreadable)]
        if not whole:
            raise UsageError(unreadable[0].reason if unreadable else f"{self.path} holds no checkpoint")
        self.numbering = self._numbered({source.name: known.extra for source, known in whole.items()})
        numbered = [source for source in whole if source.name in self.numbering.steps]
        self._sources = sorted(numbered, key=lambda source: self.numbering.steps[source.name])
        self._contents = [whole[source] for source in self._sources]
        self.steps = np.array([self.numbering.steps[source.name] for source in self._sources], dtype=np.int64)
        self._union = Union([contents.layers for contents in self._contents])
        self._metrics = self._read_metrics()
        inside = dict.fromkeys(out for contents in self._contents for out in contents.left_out)
        self.left_out = (*inside, *left_out, *unreadable, *self.numbering.left_out)
        self._opened = None

    def _numbered(self, inside: Mapping[str, Mapping[str, object]]) -> Numbering:
        return number_checkpoints(inside, step_regex=self.opening.step_regex, steps_from=self.opening.steps_from)

    def _current(self, source: Source) -> Contents | Unreadable | None:
        """Return what is known of a checkpoint if its files have not been written since."""
        known = self._known.get(source)
        files = known.files if isinstance(known, Contents) else files_about(source.path)
        try:
            return known if known is not None and known.stamp == stamps_of(files) else None
        except OSError:
            return None

    def _read_metrics(self) -> Metrics:
        extras = [contents.extra for contents in self._contents]
        given = None if self.opening.metrics is None else Path(self.opening.metrics)
        last, counts = self._sources[-1].path, self.numbering.counts
        return metrics_of_checkpoints(self.path, self.steps.tolist(), extras, last, given, counts)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that they are read from."""
        return tuple(dict.fromkeys(file for one in self._contents for file in one.files))

    @property
    def name(self) -> str:
        """The name of the folder or file."""
        return self.path.resolve().name

    @property
    def uuid(self) -> str:
        """An identity made of the path and of how it was asked to be read: the same at every opening."""
        asked = json.dumps(asdict(replace(self.opening, metrics=None)), default=str, sort_keys=True)
        name = f"grokscope:{self.path.resolve()}:{asked}"  # whose bytes may be no text
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name.encode(errors="backslashreplace").decode()))

    @property
    def origin(self) -> str:
        """What it is, in words."""
        several = f"{self.num_checkpoints} checkpoints" if self.num_checkpoints > 1 else "a single checkpoint"
        return f"{several} in {self.name}"

    @property
    def created(self) -> str:
        """When the oldest checkpoint was written, ISO 8601 in UTC."""
        return datetime.fromtimestamp(float(np.min(self.wall_time())), UTC).isoformat(timespec="seconds")

    @property
    def config(self) -> dict[str, Any]:
        """Empty: what the files say of their training is not one configuration."""
        return {}

    @property
    def planned_steps(self) -> NDArray[np.int64]:
        """The steps that there are."""
        return self.steps

    @property
    def num_checkpoints(self) -> int:
        """How many checkpoints there are."""
        return len(self.steps)

    @property
    def complete(self) -> bool:
        """True: nothing says that more will come."""
        return True

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of all checkpoints together, in the order of the network."""
        return self._union.layers

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics that lie inside or beside the checkpoints."""
        return tuple(self._metrics.values)

    @property
    def classes(self) -> None:
        """None: nobody's checkpoints count predictions."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know of how this was read: the steps first."""
        return (self._steps_note(), *self._union.notes, *self._metrics.notes)

    def _steps_note(self) -> str:
        first, last = self._sources[0], self._sources[-1]
        if first is last:
            return f"{first.name}: step {self.steps[0]:,} ({self.numbering.rule})"
        return (
            f"{self.num_checkpoints} checkpoints, steps {self.steps[0]:,} ({first.name}) to {self.steps[-1]:,} "
            f"({last.name}), by {self.numbering.rule}"
        )

    def weight(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's weight [out, in, ...] at a checkpoint, NaN where that checkpoint does not have it."""
        stored = self.stored_weight(index, layer)
        return widened(*stored) if stored else np.broadcast_to(MISSING, self._union.spec(layer).shape)

    def bias(self, index: int, layer: str) -> NDArray[np.floating[Any]]:
        """Return a layer's bias [out] at a checkpoint, NaN where that checkpoint does not have it."""
        there = self.layer_at(index, layer)
        if there is None or not there.bias:
            return np.broadcast_to(MISSING, self._union.spec(layer).shape[:1])
        source, tensors = self._source(index, layer)
        assert source.bias is not None
        return self._whole(index, source.bias, tensors)

    def _whole(self, index: int, read: Callable[[Tensors], NDArray[Any]], tensors: Tensors) -> NDArray[Any]:
        try:
            return read(tensors)
        except UsageError as error:
            raise DamagedCheckpoint(f"checkpoint {index} (step {self.steps[index]:,}): {error}") from None

    def stored_weight(self, index: int, layer: str) -> tuple[NDArray[Any], str] | None:
        """Return a layer's weight as it is stored, and the dtype of its codes or numbers; None for no weight."""
        if self.layer_at(index, layer) is None:
            return None
        source, tensors = self._source(index, layer)
        return self._whole(index, source.weight, tensors), source.dtype

    def layer_at(self, index: int, layer: str) -> Layer | None:
        """Return what a layer is at a checkpoint, or None where that checkpoint does not have it."""
        if not 0 <= index < self.num_checkpoints:
            raise IndexError(f"checkpoint {index} of {self.num_checkpoints} in {self.path}")
        return self._union.at(index, layer)

    def _source(self, index: int, layer: str) -> tuple[LayerSource, Tensors]:
        """Open a layer's checkpoint, which stays open until another is asked for."""
        there, source = self.layer_at(index, layer), self._sources[index]
        assert there is not None
        opened = self._opened
        if opened is None or opened[0] != source:
            tensors = source.open()
            opened = (
                source,
                tensors,
                {layer.name: layer for layer in layers_of(tensors, self.opening.network)[0]},
            )
            self._opened = opened
            self._refuse_changed(index)
        return opened[2][there.name], opened[1]

    def _refuse_changed(self, index: int) -> None:
        known = self._contents[index]
        if stamps_of(known.files) != known.stamp:
            raise UsageError(f"{self._sources[index].path} was written a moment ago; try again")

    def metrics(self) -> Mapping[str, NDArray[np.float64]]:
        """Return every metric over the checkpoints, float64 [n], NaN where it is not known."""
        return self._metrics.values

    def predictions(self) -> None:
        """None: nobody's checkpoints count predictions."""
        return

    def wall_time(self) -> NDArray[np.float64]:
        """Return when each checkpoint's newest file was written, seconds since 1970, float64 [n]."""
        return np.array([contents.saved for contents in self._contents])

    def fixed(self, name: str) -> None:
        """None: there are only checkpoints."""
        return

    def liveness(self) -> Liveness:
        """Static: nothing tells whether more checkpoints will come."""
        return STATIC

    def refresh(self) -> bool:
        """Look again; return whether a checkpoint has come, gone, or been written anew."""
        sources, left_out = self._find()
        if sources == list(self._known) and all(map(self._current, sources)):
            return False
        self._look(sources, left_out)
        return True

    def crc32(self, index: int) -> int:
        """Return a key of a checkpoint's step and contents; see Contents. May read all its files."""
        contents = self._contents[index]
        source = (contents.stamp, contents.part)
        if source not in self._keys:
            self._keys[source] = contents.key()
        return zlib.crc32(f"{self.steps[index]} {self._keys[source]}".encode())

    def crc32s(self, indices: Iterable[int] | None = None) -> NDArray[np.uint32]:
        """Return the keys of all checkpoints, uint32 [n]; 0 for those that are not among `indices`."""
        wanted = set(range(self.num_checkpoints) if indices is None else indices)
        keys = [self.crc32(index) if index in wanted else 0 for index in range(self.num_checkpoints)]
        return np.array(keys, dtype=np.uint32)

    def verify(self, index: int) -> None:
        """Raise DamagedCheckpoint where bytes do not have the CRC that a zip archive keeps of them.

        What was found whole is read again only when it has changed.
        """
        if not self._contents[index].is_known_whole():
            for layer in self.layers:
                self.stored_weight(index, layer.name)
                self.bias(index, layer.name)
            self._contents[index].keep_that_it_is_whole()

    @property
    def state(self) -> State:
        """What tells these checkpoints from others that lie at the same path later."""
        numbers = [tuple(file[1:] for file in one.stamp) for one in self._contents]
        return tuple(zip(self.steps.tolist(), numbers, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the path: a worker opens it once."""
        return Elsewhere, (Checkpoints, self.path.absolute(), self.opening, self.state)
