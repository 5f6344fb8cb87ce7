"""An evaluation of detectors as text, as plain values for JSON, and as rows for CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from grokscope.names import safe_lines, safe_name
from grokscope.numbers import UNKNOWN, counted, fixed, interval, json_value, number_text, whole
from grokscope.phases import Thresholds
from grokscope.report.detectors import COLLAPSED, DETECTORS
from grokscope.report.evaluate import ALLOWED, DetectorScore, RunScore, ScoredRun
from grokscope.report.text import aligned, confusion_lines

HEADER = ("detector", "AUROC", "95 %", "matched", "95 %", "found", "alarmed", "a run", "lead")
RUN_HEADER = ("run", "fall", "peak", "last", "AUROC", "found", "early", "alarm", "lead", "fallen by then")
CSV_HEADER = (
    "detector", "run", "auroc", "auroc_low", "auroc_high", "matched_auroc", "matched_low", "matched_high",
    "collapsed", "found", "early", "alarm_step", "fall_step", "lead", "fallen",
)  # fmt: skip
NOTES = (
    "matched: among checkpoints at the same step alone. 95 %: intervals, by a bootstrap over runs.",
    "found: alarms at collapsed checkpoints. alarmed: runs without a collapse that had a false alarm; a run: how",
    "many each of them had. lead: checkpoints from the first alarm to the fall, the median of the runs with both;",
    "negative where the alarm is late.",
    "`step` is time alone. Collapse comes late, so that whatever grows with time scores high and tells nothing:",
    "what a detector knows beyond time is its AUROC at matched steps.",
)
WITH_CONFUSION = ("ours", "paper")
WITH_RUNS = "ours"


def evaluation_text(runs: Sequence[ScoredRun], scores: Sequence[DetectorScore]) -> str:
    """Lay out a table of the detectors, confusion tables of the two rules, and our rule run by run."""
    return safe_lines(_lines(runs, scores))


def _lines(runs: Sequence[ScoredRun], scores: Sequence[DetectorScore]) -> Iterator[str]:
    yield from _heading(runs)
    yield ""
    yield from aligned([HEADER, *(_cells(score) for score in scores)])
    yield ""
    yield from _notes(scores)
    for score in scores:
        if score.name in WITH_CONFUSION:
            title = f"checkpoints by observed phase (rows) and by `{score.name}` (columns)"
            yield from ("", *confusion_lines(score.confusion, title))
        if score.name == WITH_RUNS:
            rows = [_run_cells(run, one) for run, one in zip(runs, score.runs, strict=True)]
            yield from ("", f"`{score.name}`, run by run", *aligned([RUN_HEADER, *rows]))


def _heading(runs: Sequence[ScoredRun]) -> Iterator[str]:
    collapsed, grokking = (sum(int(run.are(label).sum()) for run in runs) for label in (COLLAPSED, "grokking"))
    falls = sum(run.observed.collapse is not None for run in runs)
    yield (
        f"collapsing: {falls} of {len(runs)} runs; {collapsed} collapsed and {grokking} grokking checkpoints "
        "are told apart"
    )
    cut = [f"{run.name} at {run.cut:,}" for run in runs if run.cut is not None]
    if cut:
        yield f"cut where training accuracy leaves its level: {', '.join(cut)}"


def _cells(score: DetectorScore) -> list[str]:
    found, collapsed = (_sum(getattr(run, name) for run in score.runs) for name in ("found", "collapsed"))
    alarmed = sum(bool(run.early) for run in score.healthy)
    warned = sum(run.lead == run.lead for run in score.collapsing)
    alarms = [
        _of(found, collapsed),
        f"{alarmed} of {len(score.healthy)}",
        fixed(score.false_alarms, 2),
        f"{_signed(score.lead)} ({warned} of {len(score.collapsing)})",
    ]
    return [
        score.name + ("" if score.own_rule else " *"),
        fixed(score.auroc, 3),
        interval(*score.interval, 3),
        fixed(score.matched, 3),
        interval(*score.matched_interval, 3),
        *(alarms if score.alarms else [UNKNOWN] * len(alarms)),
    ]


def _notes(scores: Sequence[DetectorScore]) -> Iterator[str]:
    for score in scores:
        words = DETECTORS[score.name].words if score.name in DETECTORS else "a column, as it was asked for"
        lacking = score.num_scored - score.known
        yield f"{score.name}: {words}" + (f"; {counted(lacking, 'checkpoint')} without a score" if lacking else "")
    yield f"*: no rule of its own; alarms beyond what {ALLOWED:.0%} of the other runs' grokking checkpoints reach"
    yield from NOTES


def _run_cells(run: ScoredRun, score: RunScore) -> list[str]:
    onset, accuracy = run.observed.onset, run.test_accuracy
    peak = accuracy[onset:] if onset is not None else accuracy[:0]
    known = peak[peak == peak]
    return [
        run.name,
        _step(score.fall),
        fixed(float(known.max()), 3) if len(known) else UNKNOWN,
        fixed(float(accuracy[-1]), 3) if len(accuracy) else UNKNOWN,
        fixed(score.auroc, 3),
        _of(score.found, score.collapsed),
        number_text(score.early, "d"),
        _step(score.alarm),
        _signed(score.lead),
        fixed(score.fallen, 3),
    ]


def _of(found: int | None, collapsed: int | None) -> str:
    return UNKNOWN if found is None else f"{found} of {collapsed}"


def _signed(lead: float) -> str:
    return UNKNOWN if lead != lead else f"{lead:+g}"


def _step(step: int | None) -> str:
    return UNKNOWN if step is None else whole(step)


def evaluation_plain(
    runs: Sequence[ScoredRun], scores: Sequence[DetectorScore], thresholds: Thresholds
) -> dict[str, Any]:
    """Return everything as plain values, None for what is not known."""
    return {
        "thresholds": {name: getattr(thresholds, name) for name in thresholds.__dataclass_fields__},
        "runs": [
            {
                "run": run.name,
                "cut": run.cut,
                "collapsed": int(run.are(COLLAPSED).sum()),
                "grokking": int(run.are("grokking").sum()),
            }
            for run in runs
        ],
        "detectors": [_plain_score(score) for score in scores],
    }


def _plain_score(score: DetectorScore) -> dict[str, Any]:
    return {
        "detector": score.name,
        "auroc": json_value(score.auroc),
        "interval": json_value(score.interval),
        "matched_auroc": json_value(score.matched),
        "matched_interval": json_value(score.matched_interval),
        "scored": score.known,
        "checkpoints": score.num_scored,
        "own_rule": score.own_rule,
        "healthy_runs": len(score.healthy),
        "healthy_runs_alarmed": sum(bool(run.early) for run in score.healthy) if score.alarms else None,
        "false_alarms_a_run": json_value(score.false_alarms) if score.alarms else None,
        "lead": json_value(score.lead),
        "confusion": [
            {"observed": observed, "said": said, "checkpoints": count}
            for (observed, said), count in sorted(score.confusion.items())
        ],
        "runs": [
            {name: json_value(getattr(run, name)) for name in RunScore.__dataclass_fields__} for run in score.runs
        ],
    }


def evaluation_rows(scores: Sequence[DetectorScore]) -> Iterator[Sequence[object]]:
    """Yield the header, and for every detector a row of all runs together, without a name, and one a run."""
    yield CSV_HEADER
    for score in scores:
        sums = [_sum(getattr(run, name) for run in score.runs) for name in ("collapsed", "found", "early")]
        pooled = (score.auroc, *score.interval, score.matched, *score.matched_interval)
        yield _blank([score.name, "", *pooled, *sums, None, None, score.lead, None])
        for run in score.runs:
            ends = [None] * (len(pooled) - 1)
            counts = (run.collapsed, run.found, run.early, run.alarm, run.fall, run.lead, run.fallen)
            yield _blank([score.name, run.run, run.auroc, *ends, *counts])


def _sum(counts: Iterable[int | None]) -> int | None:
    """Add what is known; None where nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _blank(cells: Sequence[object]) -> list[object]:
    return [
        safe_name(cell) if isinstance(cell, str) else "" if json_value(cell) is None else cell for cell in cells
    ]
