"""`grokscope verify`: others' numbers, rerun and set beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grokscope.cli.common import AsJson, echo, progress, run_grokscope
from grokscope.errors import FAILED, GrokscopeError, UsageError

if TYPE_CHECKING:
    from grokscope.verify import Check, Comparison, Means


def verify(
    checks: Annotated[
        list[str] | None,
        typer.Argument(help="Which checks (default: the quick ones).", metavar="CHECK...", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every check, those of hours too.")] = False,
    names: Annotated[bool, typer.Option("--list", help="Name the checks and their cost; run none.")] = False,
    run: Annotated[
        Path | None,
        typer.Option(help="A run that is there: for tables, extremes and scales.", metavar="RUN.h5"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with MNIST, in torchvision's layout.", metavar="DIR")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--keep", help="Where long trainings keep their run files, to go on.", metavar="DIR")
    ] = Path("grokscope-verify"),
    as_json: AsJson = False,
) -> None:
    """Rerun what others have printed or their code gives, and print their numbers beside ours.

    Each number has a tolerance, or a reason why both cannot be held against each other. The quick checks take a
    few minutes together; `--list` names the others with their cost. A training that is stopped goes on when the
    check is run again. Exits with 1 where a number differs by more than its tolerance, with 2 where a check
    that was named cannot be run.
    """
    import json

    from grokscope.verify import CHECKS, DIFFERS, Means

    chosen = _chosen(checks or [], everything)
    if names:
        for check in CHECKS.values():
            echo(f"{check.name:<14} {check.cost:<16} {check.title}")
        return
    results: dict[str, list[Comparison]] = {}
    with progress("training", "steps") as bar:
        means = Means(run, folder, data_dir, lambda path, options: _train(path, options, data_dir), bar.update)
        for check in chosen:
            results |= _compared(check, means, named=bool(checks))
    if as_json:
        echo(json.dumps([_plain(name, one) for name, all_ in results.items() for one in all_], indent=2))
    else:
        echo(_text(results))
    if any(one.verdict == DIFFERS for all_ in results.values() for one in all_):
        raise typer.Exit(FAILED)


def _chosen(names: Sequence[str], everything: bool) -> list[Check]:
    from grokscope.verify import CHECKS

    if unknown := [name for name in names if name not in CHECKS]:
        raise UsageError(f"there is no check {unknown[0]}; there are {', '.join(CHECKS)}")
    if names:
        return [CHECKS[name] for name in names]
    return [check for check in CHECKS.values() if check.quick or everything]


def _compared(check: Check, means: Means, *, named: bool) -> dict[str, list[Comparison]]:
    """Run one check; one that nobody named and that cannot be run is passed by with a word."""
    try:
        return {check.name: check.compare(means)}
    except GrokscopeError as error:
        if named:
            raise
        echo(f"{check.name}: not run: {error}", err=True)
        return {}


def _train(path: Path, options: tuple[str, ...], data_dir: Path | None) -> None:
    """Train a run file, or go on with it, in a process of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = () if data_dir is None else ("--data-dir", str(data_dir))
    run_grokscope("train", "-o", str(path), *options, *place, *(("--resume",) if path.exists() else ()))


def _plain(check: str, one: Comparison) -> dict[str, object]:
    import math

    ours = one.ours if math.isfinite(one.ours) else None
    return {"check": check, "what": one.what, "ours": ours, "theirs": one.theirs, "tolerance": one.tolerance,
            "verdict": one.verdict, "source": one.source, "note": one.note}  # fmt: skip


def _text(results: dict[str, list[Comparison]]) -> str:
    """A block for each check: every number with its tolerance and verdict, then the notes, each once."""
    from grokscope.numbers import number_text
    from grokscope.report.text import aligned

    lines: list[str] = []
    for name, comparisons in results.items():
        rows = [[name, "ours", "theirs", "±", ""]]
        rows += [
            [one.what, number_text(one.ours, ".4g"), number_text(one.theirs, ".4g"),
             "–" if one.tolerance is None else number_text(one.tolerance, ".2g"), one.verdict]
            for one in comparisons
        ]  # fmt: skip
        notes = dict.fromkeys(f"{one.source}: {one.note}" if one.note else one.source for one in comparisons)
        lines += [*aligned(rows), *(f"  {note}" for note in notes), ""]
    return "\n".join(lines).rstrip()
