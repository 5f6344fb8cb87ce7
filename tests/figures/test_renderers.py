"""Both renderers show the figures' own numbers: they are read back from the text and from matplotlib's artists."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from grokscope.app.plots.described import framed
from grokscope.app.plots.marks import draw
from grokscope.errors import UsageError
from grokscope.figures import PANELS, Axis, Band, Bars, Curve, Figure, Heatmap, Points
from grokscope.figures.colors import DARK
from grokscope.figures.paper import page, save
from grokscope.figures.plain import plain
from grokscope.figures.terminal import SHADES, _marker, text

KINDS = (
    *PANELS, "alpha of one layer", "alpha of three seeds", "esd", "esd, linear", "esd of two", "randomised",
    "dxmin", "heatmap", "classes", "spectrogram", "nothing",
)  # fmt: skip
DOTS = {
    (0, 0): 0x01,
    (1, 0): 0x02,
    (2, 0): 0x04,
    (0, 1): 0x08,
    (1, 1): 0x10,
    (2, 1): 0x20,
    (3, 0): 0x40,
    (3, 1): 0x80,
}


def area(drawn: str) -> list[str]:
    """The rows inside the frame."""
    rows = [line for line in drawn.split("\n") if line.count("│") + line.count("┤") >= 2]
    return [row[1 + min(row.find(c) for c in "│┤" if c in row) : row.rfind("│")] for row in rows]


def dots(rows: list[str]) -> np.ndarray:
    """The braille dots in the rows as places in the unit square, float64 [n, 2]."""
    height, width = 4 * len(rows), 2 * max(map(len, rows))
    found = [
        (2 * column + across, height - 1 - (4 * row + down))
        for row, line in enumerate(rows)
        for column, character in enumerate(line)
        if "⠀" <= character <= "⣿"
        for (down, across), bit in DOTS.items()
        if (ord(character) - 0x2800) & bit
    ]
    return np.array(found, dtype=float) / (width - 1, height - 1)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (20, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_fits_the_terminal(every_figure: dict[str, Figure], kind: str, width: int, height: int) -> None:
    """As many rows as asked for, none wider than asked, one cell a character, and no escape sequence."""
    lines = text(every_figure[kind], width, height, colors=False).split("\n")
    assert len(lines) <= height
    assert every_figure[kind].reason or len(lines) == height
    assert max(map(len, lines)) <= width
    assert not any(unicodedata.east_asian_width(c) in "WF" or ord(c) < 32 for line in lines for c in line)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_says_what_it_shows(every_figure: dict[str, Figure], kind: str) -> None:
    """The title, both axes in words, and what each mark is; or why there is nothing."""
    figure = every_figure[kind]
    drawn = text(figure, 120, 40, colors=False)
    wanted = {figure.title, figure.reason} if figure.reason else {figure.title, figure.x.title, figure.y.title}
    if not figure.reason:
        wanted |= {mark.label for mark in figure.of(Bars) + figure.of(Curve) + figure.of(Points) if mark.label}
    assert [words for words in sorted(wanted) if words not in " ".join(drawn.split("\n"))] == []


def test_colours_are_escapes_that_change_no_character(every_figure: dict[str, Figure]) -> None:
    """A coloured curve is drawn where the plain one is."""
    figure = every_figure["norm"]
    colored = text(figure, 80, 24)
    assert "\x1b[38;2;240;184;60m" in colored
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in colored.split("\n")]
    assert plain == text(figure, 80, 24, colors=False).split("\n")


@pytest.mark.parametrize("kind", ["norm", "dxmin"])
def test_the_text_holds_the_curves_numbers(every_figure: dict[str, Figure], kind: str) -> None:
    """Each known value has a dot within a dot's distance, where the frame says that its value lies."""
    figure = every_figure[kind]
    curve = figure.of(Curve)[0]
    rows = area(text(figure, 120, 40, colors=False))
    found = dots(rows)
    size = np.array([2 * max(map(len, rows)) - 1, 4 * len(rows) - 1])
    places = np.stack([figure.x.position(curve.x), figure.y.position(curve.y)], axis=1)
    known = places[np.isfinite(places).all(axis=1)]
    near = [(np.abs(found - place) * size).max(axis=1).min() <= 1 for place in known]
    assert np.mean(near) > 0.9  # a line, a name or a point covers some
    assert max(distance_to_line(dot * size, places * size) for dot in found) < 1.5


def distance_to_line(point: np.ndarray, corners: np.ndarray) -> float:
    """From a point to the nearest segment between neighbouring corners, NaN where one is unknown."""
    start, along = corners[:-1], np.diff(corners, axis=0)
    share = ((point - start) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-12)
    nearest = start + np.clip(share, 0, 1)[:, None] * along
    return float(np.nanmin(np.hypot(*(point - nearest).T)))


SIZES = [(80, 24), (120, 40)]
CURVES = [kind for kind in KINDS if kind not in ("heatmap", "classes", "spectrogram", "nothing")]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", CURVES)
def test_every_curve_and_point_is_read_back_from_the_text(
    every_figure: dict[str, Figure], kind: str, width: int, height: int
) -> None:
    """By its own marker, within a cell of where the frame puts its value; another mark may lie on some."""
    figure = every_figure[kind]
    rows = area(text(figure, width, height, colors=False))
    size = np.array([max(map(len, rows)) - 1, len(rows) - 1])
    cells = np.array([(c, size[1] - r) for r, row in enumerate(rows) for c in range(len(row))])
    signs = np.array([character for row in rows for character in row])
    for mark in (*figure.of(Curve), *(points for points in figure.of(Points) if not points.names)):
        marker = _marker(figure, mark, colors=False)
        own = (signs > "⠀") & (signs <= "⣿") if marker == "braille" else signs == marker
        places = np.stack([figure.x.position(mark.x), figure.y.position(mark.y)], axis=1)
        inside = places[(np.isfinite(places) & (places >= 0) & (places <= 1)).all(axis=1)]
        near = [
            (np.abs(cells[own] - place * size).max(axis=1, initial=0).min(initial=99) <= 1) for place in inside
        ]
        assert np.mean(near) >= 0.7, mark.label


def _number(label: str) -> float:
    """What a tick's label says."""
    if label.endswith(" %"):
        return float(label[:-2]) / 100
    mantissa, dot, power = label.rpartition("10⁻")
    if dot:
        return float(mantissa.rstrip("·") or 1) * 10.0 ** -int(
            power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
        )
    return float(label.replace("k", "e3"))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nothing"])
def test_the_frame_names_values_where_they_lie(
    every_figure: dict[str, Figure], kind: str, width: int, height: int
) -> None:
    """Every label at the left stands in the row of its value, every label below in its column."""
    figure = every_figure[kind]
    lines = text(figure, width, height, colors=False).split("\n")
    frame = [line for line in lines if line.count("│") + line.count("┤") >= 2]
    labels = {line[: line.index("┤")].strip(): k for k, line in enumerate(frame) if "┤" in line[:20]}
    names = [mark.names for mark in figure.of(Heatmap) if mark.names]
    values = (
        {text: value for value, text in figure.y.ticks(99)}
        if not names
        else dict(zip(names[0], np.arange(len(names[0])) + 0.5, strict=True))
    )
    assert labels
    for label, row in labels.items():
        value = values[label] if label in values else _number(label)
        assert abs((1 - float(figure.y.position(value))) * (len(frame) - 1) - row) <= 1, label


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", ["heatmap", "classes", "spectrogram"])
def test_every_cell_of_a_map_is_read_back_from_the_text(
    every_figure: dict[str, Figure], kind: str, width: int, height: int
) -> None:
    """The shade in the middle of each cell is its value's level, or where cells are smaller than the text's, that
    of its neighbour above or below; unknown ones and nothing are blank. Curves lie over some."""
    figure = every_figure[kind]
    rows = area(text(figure, width, height, colors=False))
    (cells,) = figure.of(Heatmap)
    levels = np.pad(cells.levels(4), ((1, 1), (0, 0)), mode="edge")
    x, y = figure.x.position(cells.x_edges), figure.y.position(cells.y_edges)
    smaller = kind == "spectrogram"
    checked = 0
    for row, column in np.ndindex(cells.values.shape):
        line = rows[round((1 - float(y[row] + y[row + 1]) / 2) * (len(rows) - 1))].ljust(width)
        character = line[round(float(x[column] + x[column + 1]) / 2 * (max(map(len, rows)) - 1))]
        near = levels[row : row + 3, column] if smaller else levels[row + 1 : row + 2, column]
        if character in SHADES:
            assert character in {SHADES[level + 1] for level in near}, (row, column)
            checked += 1
    assert checked > 0.8 * cells.values.size


@pytest.mark.parametrize("kind", ["esd", "randomised"])
def test_the_text_holds_the_bars_numbers(every_figure: dict[str, Figure], kind: str) -> None:
    """The height of each bar in the text is its density, within a row."""
    figure = every_figure[kind]
    rows = area(text(figure, 120, 40, colors=False))
    width = max(map(len, rows))
    checked = 0
    for bars in figure.of(Bars):
        centres = (figure.x.position(bars.edges[1:]) + figure.x.position(bars.edges[:-1])) / 2
        for centre, height in zip(centres, figure.y.position(bars.heights), strict=True):
            column = [row.ljust(width)[min(width - 1, round(float(centre) * (width - 1)))] for row in rows]
            filled = [k for k, character in enumerate(column) if character in "█▄▒▌▐▀▙▟▛▜▖▗▘▝"]
            if np.isfinite(height) and filled:
                top = 1 - filled[0] / len(rows)
                assert abs(top - max(float(height), 0)) <= 2 / len(rows)
                checked += 1
    assert checked > 8


def test_a_heat_maps_shades_are_its_values_levels() -> None:
    """Four shades from low to high; unknown and nothing are blank."""
    cells = Heatmap(np.arange(6.0), np.arange(2.0), np.array([[0.0, 0.2, 0.45, 1.0, np.nan]]), 0.0, 1.0)
    assert cells.levels(4).tolist() == [[-1, 0, 1, 3, -1]]
    figure = Figure("map", Axis("step", "linear", 0, 5), Axis("layer", "linear", 0, 1), (cells,))
    row = area(text(figure, 80, 24, colors=False))[5]
    quarters = [
        row[round((k + 0.5) * len(row) / 5)] if (k + 0.5) * len(row) / 5 < len(row) else " " for k in range(5)
    ]
    assert quarters == [" ", "░", "▒", "█", " "]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nothing"])
def test_matplotlib_draws_the_figures_own_numbers(every_figure: dict[str, Figure], kind: str) -> None:
    """Curves, bars, bands, points and cells, read back from its artists, are those of the figure."""
    figure = every_figure[kind]
    axes = page([figure]).axes[0]
    drawn = [np.asarray(line.get_xydata()) for line in axes.lines]
    for mark in (*figure.of(Curve), *figure.of(Points)):
        wanted = np.stack([mark.x, mark.y], axis=1)
        assert any(one.shape == wanted.shape and np.array_equal(one, wanted, equal_nan=True) for one in drawn)
    stairs = [patch.get_data() for patch in axes.patches if hasattr(patch, "get_data")]
    for bars, (heights, edges, _) in zip(figure.of(Bars), stairs, strict=True):
        np.testing.assert_array_equal(heights, bars.heights)
        np.testing.assert_array_equal(edges, bars.edges)
    meshes = [one for one in axes.collections if type(one).__name__ == "QuadMesh"]
    for cells, mesh in zip(figure.of(Heatmap), meshes, strict=True):
        known = np.isfinite(cells.values)
        np.testing.assert_array_equal(mesh.get_array().data[known], cells.values[known])
    filled = [one for one in axes.collections if type(one).__name__.startswith("FillBetween")]
    for band, polygon in zip(figure.of(Band), filled, strict=True):
        corners = np.concatenate([path.vertices for path in polygon.get_paths()])
        for end in (band.low, band.high):
            assert {float(v) for v in end[np.isfinite(end)]} <= {float(v) for v in corners[:, 1]}
    assert axes.get_xlim() == pytest.approx((figure.x.low, figure.x.high))
    assert (axes.get_xscale(), axes.get_yscale()) == (figure.x.scale, figure.y.scale)
    assert axes.get_xlabel() == figure.x.title
    assert axes.get_ylabel() == figure.y.title


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_holds_the_figures_own_numbers(every_figure: dict[str, Figure], kind: str) -> None:
    """Every array of every mark, null where unknown, and nothing that JSON does not know."""
    figure = every_figure[kind]
    described = json.loads(json.dumps(plain(figure), allow_nan=False))
    assert described["title"] == figure.title
    for mark, shown in zip(figure.marks, described["marks"], strict=True):
        for name, value in vars(mark).items():
            if isinstance(value, np.ndarray):
                read = np.array(shown[name], dtype=object)
                read[read == None] = np.nan  # noqa: E711 - elementwise
                np.testing.assert_array_equal(read.astype(float), value)
                assert (np.array(shown[name], dtype=object) == None).sum() == np.isnan(value).sum()  # noqa: E711


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_pictures_are_the_same_bytes_each_time(
    every_figure: dict[str, Figure], tmp_path: Path, suffix: str
) -> None:
    """And real pictures of their kind."""
    figures = [every_figure["esd"], every_figure["spectrogram"], every_figure["nothing"]]
    paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for path in paths:
        save(figures, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert first.startswith(start)


def test_another_suffix_is_refused(every_figure: dict[str, Figure], tmp_path: Path) -> None:
    """In one sentence, before anything is drawn."""
    with pytest.raises(UsageError, match=r"none of the suffixes \.svg, \.png and \.pdf"):
        save([every_figure["esd"]], tmp_path / "figure.jpg")


@pytest.mark.parametrize("y", [[-1.0, 0.5], [0.5, 9.0], [-1.0, 9.0]])
def test_a_curve_that_leaves_the_frame_is_drawn_up_to_it(y: list[float]) -> None:
    """In the plotted text and in the app's cells, whatever lies outside."""
    figure = Figure(
        "", Axis("x", "linear", 0, 1), Axis("y", "linear", 0, 1), (Curve(np.full(2, 0.5), np.array(y)),)
    )
    plot = framed(figure, 40, 12, DARK)
    draw(plot)
    cells = ["".join(row[plot.left :]) for row in plot.canvas.characters[plot.top : plot.top + plot.rows]]
    for rows in (area(text(figure, 40, 12)), cells):
        seen = dots(rows)[:, 1]
        assert [seen.min(), seen.max()] == pytest.approx(np.clip(y, 0, 1), abs=0.05)


def test_the_legend_shows_a_curve_as_its_line_where_some_of_its_points_are_alone() -> None:
    pytest.importorskip("matplotlib")
    x = np.array([0.0, 1.0, 2.0])
    marks = (Curve(x, x, label="train", role="train"), Points(x[:1], x[:1], label="train", role="train"))
    legend = (
        page([Figure("lone", Axis("step", "linear", 0, 2), Axis("accuracy", "linear", 0, 2), marks)])
        .axes[0]
        .get_legend()
    )
    [line] = legend.get_lines()
    assert line.get_linestyle() == "-"
