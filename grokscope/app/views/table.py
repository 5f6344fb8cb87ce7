"""The table of layers: a row each, columns left out from the right of a list of importance, digits never."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from rich.text import Text

from grokscope.app import actions
from grokscope.app.actions import Action
from grokscope.app.frame import Layer
from grokscope.app.layer_names import shortened
from grokscope.app.layout import Place, fitting
from grokscope.app.plots.canvas import Canvas, fit_end
from grokscope.app.state import State
from grokscope.app.views.footer import topic
from grokscope.figures import CAUSE_LETTERS
from grokscope.figures.colors import Palette
from grokscope.numbers import UNKNOWN, count, fixed, number, probability, with_interval, with_range
from grokscope.spectra.layer import LayerSpectrum
from grokscope.spectra.power_law import DECIDABLE_TAIL

NAME_WIDTH = 8
SORTING = {"alpha": "α [95 %]", "traps": "traps", "norm": "‖W‖"}
"""The column by which the layers are sorted, by order."""

VERDICT_COLORS = {"over-trained": "A", "well-trained": "G", "under-trained": "P"}


@dataclass(frozen=True)
class Column:
    """A column: title, width, importance (low ones stay longest), the text of a value, and the value itself."""

    title: str
    width: int
    rank: int
    show: Callable[[LayerSpectrum], str]
    value: Callable[[LayerSpectrum], float] | None = None
    decimals: int = 3


def traps_by_cause(spectrum: LayerSpectrum) -> str:
    """Traps of the representative permutation as mean/entries/both/unexplained counts, `1m 6e`; `16e of 25` where
    the weaker ones are not kept."""
    counts = Counter(CAUSE_LETTERS[trap.cause] for trap in spectrum.traps)
    words = " ".join(f"{counts[letter]}{letter}" for letter in CAUSE_LETTERS.values() if counts[letter]) or "0"
    every = len(spectrum.trap_eigenvalues)
    return words if len(spectrum.traps) == every else f"{words} of {every}"


def traps_count(spectrum: LayerSpectrum) -> str:
    """The median count over permutations with its range, `7 (5–9)`."""
    return with_range(count(spectrum.num_traps), spectrum.num_traps_min, spectrum.num_traps_max)


def _alpha(spectrum: LayerSpectrum) -> str:
    return with_interval(spectrum.alpha, spectrum.alpha_low, spectrum.alpha_high)


COLUMNS: tuple[Column, ...] = (
    Column("shape", 8, 7, lambda s: "×".join(map(str, s.shape))),
    Column("α [95 %]", 17, 0, _alpha, lambda s: s.alpha, 2),
    Column("noise p", 9, 1, lambda s: probability(s.alpha_p, s.alpha_draws)),
    Column("± σ", 7, 14, lambda s: fixed(s.alpha_sigma, 2), lambda s: s.alpha_sigma, 2),
    Column("tail", 6, 2, lambda s: str(s.num_tail), lambda s: float(s.num_tail), 0),
    Column("xmin", 9, 11, lambda s: number(s.xmin), lambda s: s.xmin, 3),
    Column("D", 6, 10, lambda s: fixed(s.power_law_distance, 3), lambda s: s.power_law_distance),
    Column("σ_mp", 7, 6, lambda s: fixed(s.sigma_mp, 3), lambda s: s.sigma_mp),
    Column("λ₊", 9, 12, lambda s: number(s.lambda_plus, 4), lambda s: s.lambda_plus, 1),
    Column("KS", 7, 8, lambda s: fixed(s.ks_distance, 4), lambda s: s.ks_distance, 4),
    Column("p", 7, 3, lambda s: probability(s.ks_p, s.null_draws)),
    Column("p naive", 9, 9, lambda s: probability(s.ks_p_naive, 0)),
    Column("traps", 9, 4, traps_count, lambda s: s.num_traps, 0),
    Column("cause", 9, 13, traps_by_cause),
    Column("verdict", 14, 5, lambda s: s.verdict),
    Column("‖W‖", 8, 15, lambda s: number(s.norm, 4), lambda s: s.norm, 2),
    Column("max |w|", 8, 16, lambda s: number(s.max_abs), lambda s: s.max_abs, 3),
    Column("rank", 7, 17, lambda s: fixed(s.stable_rank, 1), lambda s: s.stable_rank, 1),
    Column("entropy", 9, 18, lambda s: number(s.abs_entropy, 5), lambda s: s.abs_entropy, 0),
    Column("mean", 9, 19, lambda s: number(s.mean), None),
    Column("p bulk", 8, 20, lambda s: probability(s.ks_p_bulk, s.null_draws)),
    Column("WW traps", 9, 21, lambda s: count(s.num_traps_weightwatcher), lambda s: s.num_traps_weightwatcher, 0),
)


def table(state: State, width: int, height: int) -> Text:
    """The layers at the cursor; with a comparison, under each row the differences to the compared checkpoint."""
    canvas = Canvas(width, height)
    palette, frame = state.palette, state.frame
    if frame is None:
        canvas.put_fitted(0, 1, width - 1, "waiting for the first checkpoint", palette.muted)
        return canvas.text()
    name_width = _name_width(frame.layers, width)
    each, first, room = _window(state, height)
    shown = state.rows[first : first + room]
    partners = {place: state.partner(frame.layers[place], place) for place in shown}
    pairs = {k: (frame.layers[k].spectrum, other.spectrum if other else None) for k, other in partners.items()}
    columns = _fitting(width - name_width - 2, list(pairs.values()))
    _titles(canvas, columns, name_width, state, _which(state, first, len(shown)))
    if not shown and frame.layers:
        words = f"none of {len(frame.layers)} layers has a name with {state.filter}; esc has all"
        canvas.put_fitted(1, 2, width - 3, words, palette.muted)
    for line, place in enumerate(shown):
        row, layer = 1 + line * each, frame.layers[place]
        _row(canvas, row, layer, columns, name_width, palette, selected=place == state.layer)
        if each == 2:
            _difference(canvas, row + 1, *pairs[place], columns, name_width, palette)
    return canvas.text()


def hit_table(state: State, place: Place) -> Action | None:
    """The layer of the row that was clicked at."""
    each, first, room = _window(state, place.height)
    row = (place.row - 1) // each
    inside = 0 <= row < min(room, len(state.rows) - first)
    return partial(actions.select_layer, layer=state.rows[first + row]) if inside else None


def _window(state: State, height: int) -> tuple[int, int, int]:
    """Rows a layer, the first layer shown, and how many there is room for: the selected one is among them."""
    each = 1 if state.comparison is None else 2
    room = max(1, (height - 1) // each)
    selected = state.rows.index(state.layer) if state.layer in state.rows else 0
    return each, min(max(0, selected - room + 1), max(0, len(state.rows) - room)), room


def _which(state: State, first: int, count: int) -> str:
    """Which of the layers are shown, `1–2/3`, and by what filter; nothing where all are."""
    words = f"{first + 1}–{first + count}/{len(state.rows)}" if count < len(state.rows) else ""
    return f"/{state.filter} {words}" if state.filter else words


def _fitting(
    width: int, pairs: Sequence[tuple[LayerSpectrum | None, LayerSpectrum | None]]
) -> list[tuple[Column, int]]:
    """The columns that fit with every digit, each with its width.

    `pairs` are each layer's spectrum and the one that it is compared with.
    """
    widths = [max([column.width, *(_widest(column, *pair) for pair in pairs)]) for column in COLUMNS]
    return [(COLUMNS[place], widths[place]) for place in fitting(widths, [one.rank for one in COLUMNS], width)]


def _widest(column: Column, spectrum: LayerSpectrum | None, other: LayerSpectrum | None) -> int:
    """The cells that a pair of rows needs in a column, with those that keep it from the one before."""
    if spectrum is None or spectrum.reason:
        return 0
    return max(len(column.show(spectrum)) + 2, len(difference(column, spectrum, other)) + 1)


def row_values(layer: Layer) -> dict[str, str]:
    """Every column of a layer as text, for copying and for CSV."""
    values = {"layer": layer.name}
    if layer.spectrum is not None:
        values |= {column.title: column.show(layer.spectrum) for column in COLUMNS}
    return values


def _name_width(layers: Sequence[Layer], width: int) -> int:
    longest = max([len(layer.brief) for layer in layers], default=0)
    return min(max(NAME_WIDTH, longest + 1), max(NAME_WIDTH, width // 6))


def _titles(
    canvas: Canvas, columns: Sequence[tuple[Column, int]], name_width: int, state: State, shown: str
) -> None:
    """The titles, with a mark at that by which the rows are sorted; the first says which layers are shown."""
    palette, first = state.palette, shown or "layer"
    canvas.background(0, 0, canvas.width, palette.panel)
    end = name_width + 2
    for column, width in columns:
        end += width
        sorts = column.title == SORTING.get(state.order)
        title = f"▾{column.title}" if sorts else column.title
        explained = state.explaining and column.title == topic(state)
        color = palette.cursor if explained else palette.accent if sorts else palette.muted
        canvas.put_right(0, end, title, color, bold=explained)
    first = first if cell_len(first) <= name_width else fit_end(first, name_width)
    canvas.put(0, 2, first, palette.accent if shown else palette.muted)


def _row(
    canvas: Canvas,
    row: int,
    layer: Layer,
    columns: Sequence[tuple[Column, int]],
    name_width: int,
    palette: Palette,
    *,
    selected: bool,
) -> None:
    if selected:
        canvas.background(row, 0, canvas.width, palette.selected)
        canvas.put(row, 0, "▸", palette.accent, bold=True)
    canvas.put(row, 2, shortened(layer.brief, name_width - 1), palette.text, bold=selected)
    spectrum = layer.spectrum
    if spectrum is None or spectrum.reason:
        words = _not_measured(layer)
        canvas.put_fitted(row, name_width + 3, canvas.width - name_width - 3, words, palette.muted)
        return
    end = name_width + 2
    for column, width in columns:
        end += width
        canvas.put_right(row, end, column.show(spectrum), _color(column.title, spectrum, palette))


def _not_measured(layer: Layer) -> str:
    """Why a row has no numbers, and the layer's shape where the reason does not name it."""
    shape = "×".join(map(str, layer.shape))
    if layer.spectrum is None:
        return f"{shape}  {layer.why_missing}"
    named = shape in layer.spectrum.reason.replace(" × ", "×")
    return f"not measured: {layer.spectrum.reason}" if named else f"{shape}  not measured: {layer.spectrum.reason}"


def _color(title: str, spectrum: LayerSpectrum, palette: Palette) -> str:
    if title == "verdict":
        return palette.phases[VERDICT_COLORS.get(spectrum.verdict, "?")]
    if title in {"traps", "cause"} and spectrum.num_traps > 0:
        return palette.trap
    if title in {"tail", "α [95 %]"} and spectrum.num_tail < DECIDABLE_TAIL:
        return palette.warning
    if title == "p" and spectrum.ks_p < 0.01:
        return palette.warning
    return palette.text if title in {"α [95 %]", "p", "σ_mp"} else palette.muted


def _difference(
    canvas: Canvas,
    row: int,
    spectrum: LayerSpectrum | None,
    other: LayerSpectrum | None,
    columns: Sequence[tuple[Column, int]],
    name_width: int,
    palette: Palette,
) -> None:
    """The row below a layer's: what differs from the compared checkpoint."""
    canvas.put(row, 2, "  Δ", palette.mark)
    if spectrum is None or spectrum.reason:
        return
    end = name_width + 2
    for column, width in columns:
        end += width
        canvas.put_right(row, end, difference(column, spectrum, other), palette.mark)


def difference(column: Column, spectrum: LayerSpectrum, other: LayerSpectrum | None) -> str:
    """This value less the other; of what is no such number the other value, `≠ 0.030`, and nothing where equal."""
    if other is None or other.reason:
        return ""
    if column.value is not None:
        return _signed(column.value(spectrum) - column.value(other), column.decimals)
    text = column.show(other)
    return "" if text == column.show(spectrum) else f"≠ {text}"


def _signed(value: float, decimals: int) -> str:
    text = fixed(abs(value), decimals)
    return text if text == UNKNOWN else f"{'-' if value < 0 else '+'}{text}"
