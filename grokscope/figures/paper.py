"""Figures by matplotlib, as SVG, PNG or PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grokscope.errors import MissingPackage, UsageError
from grokscope.figures.axis import Axis
from grokscope.figures.colors import LIGHT
from grokscope.figures.data import Band, Bars, Curve, Figure, Heatmap, HLine, Mark, Points, Span, VLine
from grokscope.files import refuse_without_folder, write_result
from grokscope.names import safe_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Page

FORMATS = ("svg", "png", "pdf")
PANEL_INCHES = (6.4, 4.0)


def save(figures: Sequence[Figure], path: Path, *, title: str = "") -> None:
    """Write figures side by side to a file; its suffix (.svg, .png, .pdf) says in which format.

    The same figures give the same bytes. Raises UsageError for another suffix, MissingPackage without matplotlib,
    StorageError where the file cannot be written.
    """
    format_, file = path.suffix[1:].lower(), io.BytesIO()
    if format_ not in FORMATS:
        raise UsageError(f"{path} has none of the suffixes .svg, .png and .pdf; they say what is to be written")
    refuse_without_folder(path)
    drawn = page(figures, title=title)
    import matplotlib

    without_date: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "grokscope", "svg.fonttype": "none"}):
        drawn.savefig(file, format=format_, metadata=without_date[format_], dpi=150)
    write_result(path, file.getvalue())


def page(figures: Sequence[Figure], *, title: str = "") -> Page:
    """A matplotlib figure with a panel for each of the figures, two a row; no window and no global state."""
    try:
        from matplotlib.figure import Figure as NewPage
        from matplotlib.text import Text
    except ImportError as error:
        raise MissingPackage("pictures as SVG, PNG or PDF need matplotlib", "paper") from error
    columns = min(2, len(figures)) or 1
    rows = -(-len(figures) // columns) or 1
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.3 * bool(title))
    new = NewPage(figsize=size, layout="constrained")
    panels = list(new.subplots(rows, columns, squeeze=False).flat)
    for axes, figure in zip(panels, figures, strict=False):
        draw(figure, axes)
    for axes in panels[len(figures) :]:
        axes.set_visible(False)
    if title:
        new.suptitle(title)
    for piece in new.findobj(Text):
        piece.set_text(safe_text(piece.get_text()))
    return new


def draw(figure: Figure, axes: Any) -> None:
    """Draw one figure on a matplotlib Axes."""
    axes.set_title(figure.title, loc="left", fontsize=10, pad=16 if figure.of(Span) else 6)
    if figure.reason:
        axes.text(0.5, 0.5, figure.reason, ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    for which, axis in (("x", figure.x), ("y", figure.y)):
        getattr(axes, f"set_{which}scale")(axis.scale)
        getattr(axes, f"set_{which}label")(axis.title)
    for depth, mark in enumerate(figure.marks):
        _mark(mark, axes, figure, depth)
    axes.set_xlim(figure.x.low, figure.x.high)
    axes.set_ylim(figure.y.low, figure.y.high)
    _ticks(axes, figure)
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(reversed(labels), reversed(handles), strict=True))  # of a curve and its lone points the curve
    once = {label: once[label] for label in dict.fromkeys(labels)}
    if once:
        axes.legend(once.values(), once.keys(), fontsize=7, framealpha=0.8)
    facts = " · ".join(fact.text for fact in figure.facts if fact.text and fact.text not in once)
    if facts:
        axes.annotate(facts, (0, -0.17), xycoords="axes fraction", fontsize=6.5, annotation_clip=False)


def _mark(mark: Mark, axes: Any, figure: Figure, depth: int) -> None:
    color, label = LIGHT.role(mark.role), mark.label or None
    if isinstance(mark, Bars):
        axes.stairs(
            mark.heights, mark.edges, baseline=figure.y.low, fill=True, color=color, label=label, zorder=depth
        )
    elif isinstance(mark, Curve):
        axes.plot(mark.x, mark.y, color=color, label=label, linewidth=1.4, zorder=depth)
    elif isinstance(mark, Points):
        axes.plot(mark.x, mark.y, ".", color=color, label=label, markersize=4, zorder=depth,
                  clip_on=not _inside(mark, figure))  # fmt: skip
        for x, y, name in zip(mark.x, mark.y, mark.names, strict=False):
            axes.annotate(name, (x, y), color=color, fontsize=7, ha="center", va="bottom")
    elif isinstance(mark, Band):
        axes.fill_between(mark.x, mark.low, mark.high, color=color, alpha=0.18, linewidth=0, zorder=depth)
    elif isinstance(mark, VLine):
        axes.axvline(mark.at, color=color, linestyle=":", linewidth=1, label=label, zorder=depth)
    elif isinstance(mark, HLine):
        axes.axhline(mark.at, color=color, linestyle="--", linewidth=0.8, label=label, zorder=depth)
    elif isinstance(mark, Span):
        _span(mark, axes, figure.x, color)
    elif isinstance(mark, Heatmap):
        _heatmap(mark, axes)


def _inside(mark: Points, figure: Figure) -> bool:
    """Whether all points are within the axes: then one on the edge, as step 0 is, may be drawn whole."""
    places = [axis.position(values) for axis, values in ((figure.x, mark.x), (figure.y, mark.y))]
    return all(bool(np.all((place >= 0) & (place <= 1))) for place in places)


def _span(mark: Span, axes: Any, x: Axis, color: str) -> None:
    """A tinted stretch with its name above the frame."""
    axes.axvspan(mark.x0, mark.x1, color=color, alpha=0.08, linewidth=0, zorder=-1)
    place, room = float(x.position(mark.x0)), float(x.position(mark.x1) - x.position(mark.x0))
    word = mark.label if room > 0.016 * len(mark.label) else mark.label[:1].upper()
    axes.text(place, 1.01, word, color=color, fontsize=7, transform=axes.transAxes, va="bottom")


def _heatmap(mark: Heatmap, axes: Any) -> None:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

    norm = (LogNorm if mark.log else Normalize)(mark.low, mark.high)
    values = np.ma.masked_invalid(np.where((mark.values > 0) | (not mark.log), mark.values, np.nan))
    ramp = LinearSegmentedColormap.from_list("ramp", LIGHT.ramp)
    mesh = axes.pcolormesh(mark.x_edges, mark.y_edges, values, norm=norm, cmap=ramp, rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, label=mark.label)


def _ticks(axes: Any, figure: Figure) -> None:
    from matplotlib.ticker import NullLocator

    names = [mark.names for mark in figure.marks if isinstance(mark, Heatmap) and mark.names]
    for which, axis, most in (("x", figure.x, 8), ("y", figure.y, 7)):
        ticks = axis.ticks(most)
        if which == "y" and names:
            step = -(-len(names[0]) // 20)
            ticks = [(k + 0.5, name) for k, name in enumerate(names[0])][::step]
        getattr(axes, f"set_{which}ticks")([value for value, _ in ticks], [label for _, label in ticks])
        getattr(axes, f"{which}axis").set_minor_locator(NullLocator())
