"""The paper's Tables 1, 2 and 4: what the layers measure at the right edge of each phase, over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grokscope.experiments import experiments, is_the_papers, labels
from grokscope.numbers import UNKNOWN, count, interval, mean_text, probability, with_range
from grokscope.phases import PHASES
from grokscope.published import ALPHA, KS, KS_EIGENVALUES, KS_NOTE, TRAPS, Published
from grokscope.report.layer_table import layer_tables
from grokscope.report.p_values import p_words
from grokscope.report.pictures import Source
from grokscope.report.table import Row, Table
from grokscope.spectra.combined import combined_p
from grokscope.spectra.null import ALPHA_DRAWS

NAN = float("nan")


def tables(sources: Sequence[Source]) -> tuple[Table, ...]:
    """Tables 1, 2 and 4 of the runs, those of one experiment together; of each single model its layers."""
    over_time = [source for source in sources if not source.timeline.single]
    groups = experiments(over_time)
    named = list(zip(groups, labels(groups), strict=True))
    of_runs = (_table_1(named), _table_2(named), _table_4(named)) if over_time or not sources else ()
    return (*of_runs, *layer_tables(sources))


Named = Sequence[tuple[Sequence[Source], str]]


def right_edges(source: Source) -> dict[str, int]:
    """The last checkpoint of each observed phase, as an index; a phase that did not come is left out."""
    return {phase: index for index, phase in enumerate(source.timeline.observed) if phase in PHASES}


@dataclass(frozen=True)
class _Edge:
    """One phase of one experiment: the runs that have it, each with the index of its right edge there."""

    experiment: str
    phase: str
    runs: tuple[tuple[Source, int], ...]
    of_paper: bool

    def row(self, layer: str) -> Row:
        """What every row says first."""
        steps = [int(source.run.steps[index]) for source, index in self.runs]
        return {"experiment": self.experiment, "phase": self.phase, "layer": layer, "runs": len(self.runs),
                "steps": steps}  # fmt: skip

    def values(self, field: str, layer: str) -> list[float]:
        """A measure of a layer in each run, without those where it is not known."""
        found = [float(source.timeline.measure(field, layer)[index]) for source, index in self.runs]
        return [value for value in found if math.isfinite(value)]


def _edges(named: Named) -> list[_Edge]:
    edges = []
    for group, words in named:
        name = words or ", ".join(source.run.name for source in group)
        at = [(source, right_edges(source)) for source in group]
        for phase in PHASES:
            runs = tuple((source, found[phase]) for source, found in at if phase in found)
            if runs:
                edges.append(_Edge(name, phase, runs, is_the_papers(group[0].experiment)))
    return edges


def _layers(edge: _Edge) -> tuple[str, ...]:
    return edge.runs[0][0].timeline.layers


FIRST: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("experiment", lambda row: str(row["experiment"])),
    ("phase", lambda row: str(row["phase"])),
    ("at step", lambda row: _steps(row["steps"])),
    ("layer", lambda row: str(row["layer"])),
)


def _steps(steps: Sequence[int]) -> str:
    if not steps:
        return ""
    low, high = min(steps), max(steps)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (NaN for one run) and the runs' own values."""
    return {
        "mean": statistics.fmean(values) if values else NAN,
        "sd": statistics.stdev(values) if len(values) > 1 else NAN,
        "values": list(values),
    }


def _published(edge: _Edge, layer: str, known: Mapping[tuple[str, str], Published]) -> str:
    found = known.get((edge.phase, layer)) if edge.of_paper else None
    return found.text if found else ""


def _notes(edges: Sequence[_Edge], known: Mapping[tuple[str, str], Published]) -> tuple[str, ...]:
    shown = {edge.phase for edge in edges if edge.of_paper}
    return tuple(
        f"published {one.text} ({layer}, {phase}): {one.note}"
        for (phase, layer), one in known.items()
        if one.note and phase in shown
    )


def _table_1(named: Named) -> Table:
    """α a layer and on average."""
    rows: list[Row] = []
    edges = _edges(named)
    for edge in edges:
        every = {layer: edge.values("alpha", layer) for layer in _layers(edge)}
        for layer, values in every.items():
            tails = edge.values("num_tail", layer)
            rows.append(edge.row(layer) | _spread(values) | {
                "num_tail": statistics.median(tails) if tails else NAN,
                "alpha_low": min(edge.values("alpha_low", layer), default=NAN),
                "alpha_high": max(edge.values("alpha_high", layer), default=NAN),
                "alpha_p": edge.values("alpha_p", layer),
                "null_draws": _draws(edge, layer),
                "published": _published(edge, layer, ALPHA),
            })  # fmt: skip
        complete = [list(row) for row in zip(*every.values(), strict=True)] if _equally_long(every) else []
        means = [statistics.fmean(row) for row in complete]
        rows.append(edge.row("average") | _spread(means) | {
            "num_tail": NAN, "alpha_low": NAN, "alpha_high": NAN, "alpha_p": [], "null_draws": 0, "published": ""
        })  # fmt: skip
    columns = (
        *FIRST,
        ("α", lambda row: mean_text(row["values"])),
        ("interval", lambda row: interval(row["alpha_low"], row["alpha_high"])),
        ("noise p", lambda row: p_words(row["alpha_p"], min(row["null_draws"], ALPHA_DRAWS))),
        ("tail", lambda row: count(row["num_tail"])),
        ("published", lambda row: row["published"]),
    )
    notes = (
        "α of a layer is a fit to its tail of that many eigenvalues (the median over runs), known only as well as "
        "the interval says (the widest of the runs). noise p: how often Gaussian noise of that shape has an α as "
        "low.",
        *_notes(edges, ALPHA),
    )
    title = "power-law exponent α at the right edge of each phase"
    return Table(1, title, tuple(rows), columns, notes)


def _equally_long(every: Mapping[str, Sequence[float]]) -> bool:
    return len({len(values) for values in every.values()}) == 1


def _draws(edge: _Edge, layer: str) -> int:
    return int(min(edge.values("null_draws", layer), default=0))


def _table_2(named: Named) -> Table:
    """Traps by our edge test and by WeightWatcher's rule."""
    rows: list[Row] = []
    edges = _edges(named)
    for edge in edges:
        for layer in _layers(edge):
            ours = edge.values("num_traps", layer)
            theirs = edge.values("num_traps_weightwatcher", layer)
            rows.append(edge.row(layer) | _spread(ours) | {
                "shown": edge.values("num_traps_shown", layer),
                "entry_traps": edge.values("num_entry_traps", layer),
                "weightwatcher": theirs,
                "published": _published(edge, layer, TRAPS),
            })  # fmt: skip
    columns = (
        *FIRST,
        ("traps", lambda row: mean_text(row["values"])),
        ("by entries", _of_those_shown),
        ("WeightWatcher's rule", lambda row: mean_text(row["weightwatcher"])),
        ("published", lambda row: row["published"]),
    )
    notes = (
        "Traps are eigenvalues of the shuffled entries beyond the 99.9 % edge of noise, the median over "
        "permutations; those by entries are counted in the one that is shown, out of the traps in that one. "
        "WeightWatcher's rule has a margin some six times wider.",
        "A trap by a shifted mean stands in healthy networks too; the papers differ on whether there is one at "
        "the best test accuracy (1 ± 0 in the first, 0 ± 0 in the follow-ups).",
        *_notes(edges, TRAPS),
    )
    return Table(2, "correlation traps at the right edge of each phase", tuple(rows), columns, notes)


def _of_those_shown(row: Row) -> str:
    """Traps by entries out of all traps of the same permutation."""
    return f"{mean_text(row['entry_traps'])} of {mean_text(row['shown'])}" if row["entry_traps"] else UNKNOWN


def _table_4(named: Named) -> Table:
    """The shuffled entries against the Marchenko-Pastur law."""
    rows: list[Row] = []
    edges = _edges(named)
    for edge in edges:
        rows += [_ks_row(edge, layer) for layer in _layers(edge)]
        if edge.of_paper and edge.phase in KS:
            rows.append(_published_ks_row(edge))
    columns = (
        *FIRST,
        ("σ_mp", lambda row: row["printed_sigma"] or mean_text(row["sigma_mp"])),
        ("KS D", lambda row: mean_text(row["ks_distance"])),
        ("naive p", lambda row: row["printed_p"] or p_words(row["ks_p_naive"], 0)),
        ("calibrated p", lambda row: p_words(row["ks_p"], row["null_draws"])),
        ("traps", lambda row: row["printed_traps"] or _traps(row)),
    )
    notes = (
        "p-values of several runs are combined by Fisher's method, with how many lie below .05; they are never "
        "averaged. The naive p treats eigenvalues as independent and the law as not fitted: it is far too large. "
        "It is that of the permutation that is drawn; D is the mean over permutations, and the calibrated p is "
        "the mean's.",
        *((KS_NOTE,) if any(edge.of_paper and edge.phase in KS for edge in edges) else ()),
    )
    title = "shuffled entries against the Marchenko–Pastur law at the right edge of each phase"
    return Table(4, title, tuple(rows), columns, notes)


def _ks_row(edge: _Edge, layer: str) -> Row:
    p, naive = edge.values("ks_p", layer), edge.values("ks_p_naive", layer)
    return edge.row(layer) | {
        "sigma_mp": edge.values("sigma_mp", layer),
        "ks_distance": edge.values("ks_distance", layer),
        "ks_distance_shown": edge.values("ks_distance_shown", layer),
        "ks_p_naive": naive,
        "ks_p": p,
        "combined_ks_p_naive": combined_p(naive),
        "combined_ks_p": combined_p(p),
        "num_traps": edge.values("num_traps", layer),
        "num_traps_min": min(edge.values("num_traps_min", layer), default=NAN),
        "num_traps_max": max(edge.values("num_traps_max", layer), default=NAN),
        "null_draws": _draws(edge, layer),
        "printed_sigma": "", "printed_p": "", "printed_traps": "",
    }  # fmt: skip


def _published_ks_row(edge: _Edge) -> Row:
    """The paper's distance with its printed p-value, and beside it what that distance means."""
    from grokscope.spectra.kolmogorov import naive_p

    known = KS[edge.phase]
    means = probability(naive_p(known.distance, KS_EIGENVALUES), 0)
    return edge.row("published") | {
        "steps": [], "runs": 0, "sigma_mp": [], "ks_distance": [known.distance],
        "ks_distance_shown": [known.distance],
        "ks_p_naive": [naive_p(known.distance, KS_EIGENVALUES)], "ks_p": [], "combined_ks_p_naive": NAN,
        "combined_ks_p": NAN, "num_traps": [], "num_traps_min": NAN, "num_traps_max": NAN, "null_draws": 0,
        "printed_sigma": known.sigma_mp,
        "printed_p": f"{known.p} (D means {means})" if known.p else f"(D means {means})",
        "printed_traps": known.traps,
    }  # fmt: skip


def _traps(row: Row) -> str:
    return with_range(mean_text(row["num_traps"]), row["num_traps_min"], row["num_traps_max"])
