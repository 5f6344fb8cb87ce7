"""Which of several runs are one experiment with other seeds: only those may be averaged."""

from __future__ import annotations

from collections.abc import Sequence

from grokscope.errors import UsageError
from grokscope.report.events import RunReport


def refuse_twice(reports: Sequence[RunReport]) -> None:
    """Raise UsageError where two of the reports are of the same run, which would count twice."""
    seen: dict[str, RunReport] = {}
    for report in reports:
        if (first := seen.setdefault(report.uuid, report)) is not report:
            raise UsageError(f"{first.path} and {report.path} are the same run ({report.uuid}); give one of them")


def experiments(reports: Sequence[RunReport]) -> list[list[RunReport]]:
    """Part reports by their runs' experiments, in the order in which they come."""
    groups: list[list[RunReport]] = []
    for report in reports:
        for group in groups:
            if group[0].experiment == report.experiment:
                group.append(report)
                break
        else:
            groups.append([report])
    return groups


def differences(groups: Sequence[Sequence[RunReport]]) -> list[str]:
    """Say of each group in what it differs from the others: "weight_decay 0.01"; "" where there is one group."""
    each = [group[0].experiment for group in groups]
    names = sorted(set().union(*each))
    different = [name for name in names if len({experiment.get(name) for experiment in each}) > 1]
    return [", ".join(f"{name} {experiment.get(name, '–')}" for name in different) for experiment in each]
