"""One checkpoint as the screen shows it, as plain values: panes and plots are functions of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from grokscope.analysis.profile import worst_first

if TYPE_CHECKING:
    from grokscope.spectra import LayerSpectrum


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer at one checkpoint; its spectrum is read when it is first looked at, None until it is analysed.

    With `glanced` it is None as well because what is measured has not been read yet, with `damaged` because its
    checkpoint is not what was written. `note` says how it was read from somebody's checkpoint, where that is worth
    a word.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], LayerSpectrum | None] = lambda: None
    glanced: bool = False
    note: str = ""
    damaged: bool = False
    short: str = ""

    @property
    def brief(self) -> str:
        """The name for places where there is little room: without what all layers share."""
        return self.short or self.name

    @property
    def why_missing(self) -> str:
        """Why there is no spectrum."""
        if self.damaged:
            return "damaged: its bytes do not match their CRC"
        return "being read" if self.glanced else "not analysed yet"

    @cached_property
    def spectrum(self) -> LayerSpectrum | None:
        """What was measured of it."""
        return self.read()


@dataclass(frozen=True, eq=False)
class Frame:
    """One checkpoint of one run: the single value that all panes are drawn from."""

    run: str
    index: int
    num_checkpoints: int
    step: int
    layers: tuple[Layer, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)
    observed: str = "unknown"
    inferred: str = "unknown"
    reasons: tuple[str, ...] = ()
    damaged: bool = False

    @cached_property
    def worst_first(self) -> tuple[int, ...]:
        """The places of the layers, the ones that look worst first."""
        return tuple(worst_first([layer.spectrum for layer in self.layers]))

    def metric(self, name: str) -> float:
        """A recorded metric, NaN where the run has none."""
        return self.metrics.get(name, float("nan"))
