"""Everything that decides what is on screen, in one frozen value: it is replaced, never patched."""

from __future__ import annotations

from dataclasses import dataclass

from grokscope.analysis.timeline import Timeline
from grokscope.app.frame import Frame, Layer
from grokscope.app.plots.density import LOG_LOG, LOG_X, Axes
from grokscope.app.theme import DARK, Palette
from grokscope.runfile.liveness import Liveness


@dataclass(frozen=True, eq=False)
class Comparison:
    """A second checkpoint to hold against the one under the cursor: `name` says which, in a few words."""

    name: str
    frame: Frame


@dataclass(frozen=True, eq=False)
class State:
    """What the panes are drawn from."""

    timeline: Timeline
    frame: Frame | None = None
    others: tuple[Timeline, ...] = ()
    comparison: Comparison | None = None
    mark: int | None = None
    view: str = "overview"
    layer: int = 0
    pane: int = 0
    trap: int = 0
    steps_log: bool = True
    esd_axes: Axes = LOG_LOG
    randomized_axes: Axes = LOG_X
    values_log: bool = False
    search: bool = False
    palette: Palette = DARK
    liveness: Liveness | None = None
    following: bool = False
    playing: bool = False
    analysing: tuple[int, int] | None = None
    analysis_note: str = ""
    problem: str = ""

    @property
    def index(self) -> int:
        """The checkpoint under the cursor."""
        return 0 if self.frame is None else self.frame.index

    @property
    def selected(self) -> Layer | None:
        """The selected layer at the cursor."""
        if self.frame is None or not self.frame.layers:
            return None
        return self.frame.layers[min(self.layer, len(self.frame.layers) - 1)]

    @property
    def compared(self) -> Layer | None:
        """The layer to compare the selected one with: the same name, else the same place."""
        if self.comparison is None or self.selected is None:
            return None
        layers = self.comparison.frame.layers
        named = [layer for layer in layers if layer.name == self.selected.name]
        return named[0] if named else layers[self.layer] if self.layer < len(layers) else None

    @property
    def live(self) -> bool:
        """Whether a trainer is at work on the run, moving or not."""
        return self.liveness is not None and self.liveness.state in {"running", "stalled"}

    @property
    def listing(self) -> bool:
        """Whether the arrows walk through the list of traps, not through the layers."""
        return self.view == "traps" and self.pane == 1
