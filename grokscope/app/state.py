"""Everything that decides what is on screen, in one frozen value: it is replaced, never patched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.timeline import Timeline
from grokscope.app.frame import Frame, Layer
from grokscope.app.layer_names import matches
from grokscope.figures import Axis, Scale, Scales, step_axis
from grokscope.figures.colors import DARK, Palette
from grokscope.names import safe_name
from grokscope.runfile.liveness import Liveness

SORTED_BY = {
    "alpha": ("alpha", 1, "least α"),
    "traps": ("num_traps", -1, "most traps"),
    "norm": ("norm", -1, "largest ‖W‖"),
}
"""Orders of the layers by a measure: which, 1 for the least first and -1 for the largest, and in words."""

ORDERS = {"depth": "by depth", **{name: f"{words} first" for name, (_, _, words) in SORTED_BY.items()},
          "worst": "that look worst first"}  # fmt: skip
"""Every order of the layers, in words."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A second checkpoint to hold against the one under the cursor: `name` says which, in a few words."""

    name: str
    frame: Frame


@dataclass(frozen=True, eq=False)
class Direction:
    """The leading right singular vector [in] of a layer's weight, None where there is none: of which run, index
    and layer."""

    key: tuple[int, int, int]
    vector: NDArray[np.float64] | None


@dataclass(frozen=True)
class Entry:
    """A run of the list; `problem` says why it cannot be opened, and without `read` nothing else is known yet.

    `phase` is the observed one at the last checkpoint, `accuracy` the last on the test images (NaN: none),
    `state` how its training stands, `analysed` the share of its layers and checkpoints that are measured.
    """

    path: Path
    read: bool = False
    problem: str = ""
    checkpoints: int = 0
    step: int = 0
    phase: str = "unknown"
    accuracy: float = float("nan")
    state: str = ""
    analysed: float = 0.0

    @property
    def name(self) -> str:
        """The file's name, safe to print."""
        return safe_name(self.path.name)


@dataclass(frozen=True, eq=False)
class State:
    """What the panes are drawn from: the runs through time, the cursor, and what the user chose to see.

    `experiments` has the number of each run's experiment: equal where only their seeds differ.
    `entries` are the runs of `folder`, which the view "runs" lists; `row` is the chosen one, `wanted` what is to
    be opened. `front` is the number of the run in front, `index` the checkpoint under the cursor; `frame`,
    `comparison` and `direction` are what was read there. `notice` is a sentence that stands until the next key.
    `sheet` is the text that lies over the panes, from its row `scroll` on; `prompt` what is asked for, `typed` the
    answer so far. While `explaining` a line says what `column` of the table is, or the pane of another view.
    `chosen` tells that the user has chosen a layer, `order` how the table has them, one of `ORDERS` or "" for what
    is usual, and `filter` which: those whose names match it; `window` are the first and last step that are zoomed
    in to; `full` that one pane fills the screen; `measure` is what the map of layers × steps shows. `caveats` are
    sentences by the number of the run that they are about.
    """

    runs: tuple[Timeline, ...]
    experiments: tuple[int, ...] = ()
    front: int = 0
    index: int = 0
    frame: Frame | None = None
    comparison: Comparison | None = None
    direction: Direction | None = None
    caveats: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    mark: int | None = None
    view: str = "overview"
    layer: int = 0
    chosen: bool = False
    order: str = ""
    filter: str = ""
    pane: int = 0
    trap: int = 0
    measure: str = "alpha"
    steps_log: bool = True
    esd_axes: Scales = ("log", "log")
    randomised_axes: Scales = ("log", "linear")
    window: tuple[float, float] | None = None
    full: bool = False
    values_log: bool = False
    search: bool = False
    palette: Palette = DARK
    liveness: Liveness | None = None
    following: bool = False
    playing: bool = False
    analysing: tuple[int, int] | None = None
    analysis_note: str = ""
    problem: str = ""
    notice: str = ""
    sheet: str = ""
    scroll: int = 0
    prompt: str = ""
    typed: str = ""
    explaining: bool = False
    column: int = 0
    folder: str = ""
    entries: tuple[Entry, ...] = ()
    row: int = 0
    wanted: Path | None = None

    @property
    def choosing(self) -> bool:
        """Whether the list of runs is shown."""
        return self.view == "runs"

    @property
    def timeline(self) -> Timeline:
        """The run in front."""
        return self.runs[self.front]

    @property
    def others(self) -> tuple[Timeline, ...]:
        """The other runs, in their order from the front one on."""
        return self.runs[self.front + 1 :] + self.runs[: self.front]

    @property
    def last(self) -> int:
        """The index of the last checkpoint, 0 where there is none."""
        return max(0, len(self.timeline.steps) - 1)

    @property
    def step(self) -> int:
        """The step under the cursor, 0 where there is no checkpoint."""
        return int(self.timeline.steps[self.index]) if len(self.timeline.steps) else 0

    @property
    def worst_first(self) -> bool:
        """Whether the table has the layers that look worst first: usual of a model without a history."""
        return self.order == "worst" or (not self.order and self.timeline.single)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """The places of the layers that the table has, in its order."""
        names = self.timeline.layers
        kept = [place for place, name in enumerate(names) if not self.filter or matches(name, self.filter)]
        if self.order in SORTED_BY and len(self.timeline.steps):
            field, sign, _ = SORTED_BY[self.order]
            values = [sign * float(self.timeline.measure(field, names[place])[self.index]) for place in kept]
            return tuple(kept[k] for k in np.argsort(values, kind="stable"))  # NaN come last
        if self.worst_first and self.frame is not None and self.frame.layers:
            return tuple(place for place in self.frame.worst_first if place in set(kept))
        return tuple(kept)

    @property
    def selected(self) -> Layer | None:
        """The selected layer at the cursor."""
        if self.frame is None or not self.frame.layers:
            return None
        return self.frame.layers[min(self.layer, len(self.frame.layers) - 1)]

    @property
    def being_read(self) -> str:
        """Why there is nothing to draw of the layers where their spectra are still to be read; else nothing."""
        return self.selected.why_missing if self.selected is not None and self.selected.glanced else ""

    @property
    def compared(self) -> Layer | None:
        """The layer to compare the selected one with."""
        return None if self.selected is None else self.partner(self.selected, self.layer)

    def partner(self, layer: Layer, place: int) -> Layer | None:
        """The compared checkpoint's layer of the same name; where no name is common, the one at the same place."""
        if self.comparison is None or self.frame is None:
            return None
        others = self.comparison.frame.layers
        named = {other.name: other for other in others}
        if any(one.name in named for one in self.frame.layers):
            return named.get(layer.name)
        return others[place] if place < len(others) else None

    @property
    def leading(self) -> NDArray[np.float64] | None:
        """The selected layer's leading direction at the cursor, None until it is computed."""
        direction = self.direction
        here = (self.front, self.index, self.layer)
        return direction.vector if direction is not None and direction.key == here else None

    @property
    def live(self) -> bool:
        """Whether a trainer is at work on the run, moving or not."""
        return self.liveness is not None and self.liveness.state in {"running", "stalled"}

    @property
    def steps_scale(self) -> Scale:
        """How the axes of steps are drawn."""
        return "log" if self.steps_log else "linear"

    @property
    def step_axis(self) -> Axis:
        """The axis of all steps of all runs."""
        return step_axis(self.runs, scale=self.steps_scale)

    @property
    def shown_steps(self) -> tuple[float, float] | None:
        """The steps that are zoomed in to, moved as far as it takes to have the cursor among them; None: all."""
        if self.window is None:
            return None
        axis = self.step_axis
        low, high, at = (float(axis.position(max(x, axis.low))) for x in (*self.window, self.step))
        by = min(0.0, at - low) + max(0.0, at - high)
        return axis.value(low + by), axis.value(high + by)

    @property
    def listing(self) -> bool:
        """Whether the arrows walk through the list of traps, not through the layers."""
        return self.view == "traps" and self.pane == 1
