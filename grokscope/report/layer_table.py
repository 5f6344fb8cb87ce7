"""The layers of a single model, which has no history, those that look worst first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from grokscope.analysis.profile import profile_rows
from grokscope.numbers import count, fixed, interval, number, probability
from grokscope.report.pictures import Source
from grokscope.report.table import Row, Table
from grokscope.spectra.null import ALPHA_DRAWS

FIRST_NUMBER = 5
"""Behind the tables over time."""

NOTES = (
    "One checkpoint has no history: its phase is unknown.",
    "noise p is the chance that noise of the layer's shape has an α as low.",
)


def layer_tables(sources: Sequence[Source]) -> Iterator[Table]:
    """Yield a table of the layers of each single model."""
    singles = [source for source in sources if source.timeline.single]
    for table, source in enumerate(singles, start=FIRST_NUMBER):
        rows = sorted(profile_rows(source.spectra), key=lambda row: int(row["worst"]))
        yield Table(
            table, f"layers of {source.run.name}, those that look worst first", tuple(rows), COLUMNS, NOTES
        )


def _known(row: Row, name: str) -> float:
    return math.nan if row[name] is None else float(row[name])


def _draws(row: Row) -> int:
    return int(row["null_draws"] or 0)


COLUMNS = (
    ("depth", lambda row: str(row["depth"])),
    ("layer", lambda row: f"{row['layer']} ({row['note']})" if row["note"] else str(row["layer"])),
    ("shape", lambda row: row["shape"].replace("x", "×")),
    ("α", lambda row: fixed(_known(row, "alpha"), 2)),
    ("95 %", lambda row: interval(row["alpha_low"], row["alpha_high"])),
    ("noise p", lambda row: probability(_known(row, "alpha_p"), min(_draws(row), ALPHA_DRAWS))),
    ("tail", lambda row: count(_known(row, "num_tail"))),
    ("σ_mp", lambda row: fixed(_known(row, "sigma_mp"), 3)),
    ("KS p", lambda row: probability(_known(row, "ks_p"), _draws(row))),
    ("traps", lambda row: count(_known(row, "num_traps"))),
    ("‖W‖", lambda row: number(_known(row, "norm"), 4)),
    ("verdict", lambda row: row["verdict"] if row["verdict"] != "not measured" else row["reason"]),
)
