"""`grokscope plot`: any figure, as text in the terminal or as a picture."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grokscope.cli.common import AsJson, Step, echo, name_damaged, name_unmeasured
from grokscope.cli.opening import AnyPaths, open_every, opens
from grokscope.cli.view import LARGEST, parse_size
from grokscope.errors import UsageError

if TYPE_CHECKING:
    from grokscope.figures import Figure
    from grokscope.report.pictures import Source

OVER_TWO = 12
"""Rows that a figure needs at least where several share the terminal's height."""


def _no_run(kind: str | None) -> str | None:
    """Refuse a run file or folder as the figure: that was left out, or stands before its runs."""
    if kind and not kind.isidentifier() and Path(kind).exists():
        raise UsageError(f"KIND is missing, the figure, which comes last: `grokscope plot {kind} alpha`")
    return kind


@opens()
def plot(
    runs: AnyPaths,
    kind: Annotated[
        str,
        typer.Argument(
            help="accuracy, loss, alpha, traps, ks, sigma_mp, stable_rank, measures, norm, entropy, sparsity, "
            "circuit, strain, esd, randomised, dxmin, profile, spectrogram, heatmap, classes, any column (`export "
            "--layers` names them), any metric (`export`).",
            metavar="KIND",
            show_default=False,
            is_eager=True,
            callback=_no_run,
        ),
    ],
    step: Step = None,
    layer: Annotated[
        str | None, typer.Option(help="One layer (for esd, by default the first).", metavar="NAME")
    ] = None,
    measure: Annotated[str, typer.Option(help="What a heatmap shows.", metavar="COLUMN")] = "alpha",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a picture instead.", metavar="FILE.svg|png|pdf")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Columns and rows of each figure (default: the terminal's).", metavar="WxH")
    ] = None,
    as_json: AsJson = False,
    **how: Any,
) -> None:
    """Draw a figure of one run or several, in the terminal, as a picture, or as its bare numbers.

    Runs that record their configuration and differ in nothing but their seeds are averaged: mean ± standard
    deviation; their p-values are combined by Fisher's method. Others stand side by side. Over time, only what
    `grokscope analyze` has measured is shown; a spectrum is measured now where it is not yet.
    """
    import json

    from grokscope.figures.plain import plain
    from grokscope.report import refuse_twice
    from grokscope.report.pictures import Source, figures_of

    sources = [Source.of(run) for run in open_every(runs, **how)]
    refuse_twice(sources)
    for source in sources:
        name_damaged(source.damaged)
    figures = figures_of(kind, sources, step=step, layer=layer, measure=measure)
    _note_unmeasured(figures, sources)
    if as_json:
        echo(json.dumps([plain(figure) for figure in figures], indent=2, allow_nan=False))
    elif output is not None:
        from grokscope.figures.paper import save

        save(figures, output)
        echo(str(output))
    else:
        echo(as_text(figures, size), colors=True)


def as_text(figures: Sequence[Figure], size: str | None = None) -> str:
    """Figures below each other in so many columns and rows, by default the terminal's, in its colours.

    Without a terminal 80 × 24, plain; NO_COLOR is respected.
    """
    from grokscope.figures.terminal import text

    if size is None:
        columns, lines = map(min, shutil.get_terminal_size(), LARGEST)  # COLUMNS and LINES may say anything
        rows = max(min(lines - 1, OVER_TWO), (lines - 1) // len(figures)) if sys.stdout.isatty() else lines
    else:
        columns, rows = parse_size(size)
    return "\n\n".join(text(figure, columns, rows, colors=has_colors()) for figure in figures)


def has_colors() -> bool:
    """Whether standard output is a terminal that shows colours, and its user wants them."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")
    return sys.stdout.isatty() and wanted


def _note_unmeasured(figures: Sequence[Figure], sources: Sequence[Source]) -> None:
    """Say on stderr what to do where a figure has nothing to show because nothing is measured."""
    if any(figure.reason for figure in figures):
        for source in sources:
            name_unmeasured(source.spectra)
