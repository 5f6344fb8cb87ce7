"""The spectra of the selected layer: its own, and that of its shuffled entries."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text

from grokscope.app.frame import Layer
from grokscope.app.layer_names import in_title
from grokscope.app.plots.described import described, empty
from grokscope.app.state import State
from grokscope.app.views.pieces import Piece, line
from grokscope.figures import Figure, dxmin, esd, randomised
from grokscope.numbers import number

WEIGHTWATCHER_FIRST = ("alpha", "D", "rand_num_spikes", "rand_sigma_mp")
"""The columns that stay longest where there is little room."""


def draw_esd(state: State, width: int, height: int) -> Text:
    """The selected layer's own spectrum."""
    layer, other = state.selected, state.compared
    if layer is None or layer.spectrum is None:
        return _missing("ESD", layer, state, width, height)
    beside = weightwatcher(state, width)
    compared = None if other is None else other.spectrum
    if state.search:
        figure = dxmin(layer.spectrum)
    else:
        figure = esd(layer.spectrum, scales=state.esd_axes, other=compared, most_bins=most_bins(width))
    plot = described(
        titled(figure, layer, width),
        width,
        height - bool(beside),
        state.palette,
        focused=focused(state, 0),
        legend=state.full,
    ).text()
    return plot.append("\n").append_text(beside) if beside else plot


def weightwatcher(state: State, width: int) -> Text:
    """What WeightWatcher itself says of the selected layer, in the spectrum view; empty where it was not run."""
    if state.view != "spectrum" or state.selected is None:
        return Text()
    found = state.timeline.weightwatcher_at(state.index, state.selected.name)
    names = [
        *(name for name in WEIGHTWATCHER_FIRST if name in found),
        *(name for name in found if name not in WEIGHTWATCHER_FIRST),
    ]
    if not found:
        return Text()
    words = [f"{name} {found[name]:g}" if "num_" in name else f"{name} {number(found[name], 4)}" for name in names]
    palette, last = state.palette, len(words)
    pieces = [Piece(("WeightWatcher",), palette.accent, (last + 1,))]
    pieces += [Piece((text,), palette.muted, (last - place,)) for place, text in enumerate(words)]
    return line(pieces, width)


def draw_randomised(state: State, width: int, height: int) -> Text:
    """The spectrum of the selected layer's shuffled entries."""
    layer, other = state.selected, state.compared
    if layer is None or layer.spectrum is None:
        return _missing("randomised", layer, state, width, height)
    compared = None if other is None else other.spectrum
    figure = randomised(layer.spectrum, scales=state.randomised_axes, other=compared, most_bins=most_bins(width))
    figure = titled(figure, layer, width)
    return described(figure, width, height, state.palette, focused=focused(state, 1), legend=state.full).text()


def titled(figure: Figure, layer: Layer, width: int) -> Figure:
    """The figure with the telling part of the layer's name in its title, where the whole one has no room."""
    kind = figure.title.removesuffix(layer.spectrum.name if layer.spectrum else "")
    return replace(figure, title=kind + in_title(layer.brief, width))


def most_bins(width: int) -> int:
    """How many bars a plot so wide has room for: none may be thinner than a cell."""
    return width - 9


def focused(state: State, pane: int) -> bool:
    """Whether a spectrum's pane is the one that the axis keys act on."""
    return state.pane % 2 == pane


def _missing(title: str, layer: Layer | None, state: State, width: int, height: int) -> Text:
    name = "" if layer is None else f" {in_title(layer.brief, width)}"
    reason = "no layers" if layer is None else layer.why_missing
    return empty(width, height, title + name, reason, state.palette).text()
