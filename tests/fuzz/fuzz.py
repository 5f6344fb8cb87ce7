"""Fuzz cases one after another, in forked processes: `python -m tests.fuzz.fuzz 0 300` prints a line for each find.

A number names a case for ever: `python -m tests.fuzz.fuzz 1234` does that one again, and shows what it printed.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.case import SHOW, Case, case_of
from tests.fuzz.child import Ended, grokscope, run_forked
from tests.fuzz.hdf5_mutations import make_secret
from tests.fuzz.judge import facts_of, imported, lost, problems, untrue
from tests.fuzz.material import EXTENSIONS, RUN, make

IN_MEMORY = Path("/dev/shm")  # the disk's syncs would take most of the time
WARM = ("info {path}", SHOW, "report {path}", "plot {path} alpha", "view {path} --screenshot {out}.svg",
        "report {path} -o {out}", "plot {path} alpha -o {out}.svg", "export {path}")  # fmt: skip


from collections import defaultdict

TIMES = defaultdict(list)


@dataclass(frozen=True)
class Outcome:
    """What a case came to: how its command ended, and what was wrong with that."""

    case: Case
    ended: Ended
    problems: tuple[str, ...]


class Fuzzer:
    """Sound material, and what the sound run says of itself; use it as a context manager."""

    def __enter__(self) -> Fuzzer:
        """Make the material, and do once what fills caches."""
        self._folder = tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        self.home = Path(self._folder.name)
        os.environ["XDG_CACHE_HOME"] = os.environ["MPLCONFIGDIR"] = str(self.home / "cache")
        _import_everything()
        self.material = self.home / "material"
        make(self.material, self._command)
        make_secret(self.material / "secret.h5")
        self._warm_up()
        self.sound = self._sound()
        self.table = {line.split(",")[0]: line.split(",") for line in self._said("export").splitlines()}
        gc.freeze()
        return self

    def _warm_up(self) -> None:
        """Do once, in this very process, what loads modules and tables: what is forked then has them."""
        paths = [self.material / "run" / RUN, *(self._copy() / kind for kind in EXTENSIONS)]
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            for path in paths:
                for words in WARM:
                    with suppress(SystemExit):
                        grokscope(*self._words(words, path, self.home / "warm"))
        assert threading.active_count() == 1

    def __exit__(self, *_: object) -> None:
        """Remove all."""
        self._folder.cleanup()

    def _command(self, *words: str | Path) -> int:
        return run_forked(lambda: grokscope(*words), self.home).code

    def _said(self, *words: str) -> str:
        ended = run_forked(lambda: grokscope(words[0], self.material / "run" / RUN, *words[1:]), self.home)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def _sound(self) -> dict[int, Any]:
        steps = json.loads(self._said("info", "--json"))["steps"]
        return {step: json.loads(self._said("show", "--json", "--step", str(step))) for step in steps}

    def _copy(self) -> Path:
        folder = self.home / "case"
        shutil.rmtree(folder, ignore_errors=True)
        return Path(shutil.copytree(self.material, folder))

    @staticmethod
    def _words(command: str, path: Path, out: Path) -> list[str]:
        return [word.format(path=path, out=out) for word in command.split()]

    def outcome(self, case: Case) -> Outcome:
        """Change a copy of the material, give it to the command, and judge."""
        folder = self._copy()
        given = case.mutate(folder)
        steps = (
            []
            if case.command != SHOW or case.kind not in ("run", "spectra")
            else ["--step", str(self._step(case))]
        )
        words = [*self._words(case.command, given, folder / "out"), *steps]
        before, run = facts_of(folder), folder / "run" / RUN
        if case.kind == "run":
            shutil.copy(run, self.home / "before.h5")
        ended = run_forked(lambda: grokscope(*words), self.home)
        after = facts_of(folder)
        found = [*problems(case, ended, before, after), *untrue(case, ended, self.sound, self.table)]
        if case.kind == "run" and before[f"run/{RUN}"] != after.get(f"run/{RUN}") and ended.code == 0:
            found += self._checked(lambda: print("\n".join(lost(self.home / "before.h5", run))))
        if (folder / "out.h5").exists():
            found += self._checked(lambda: print("\n".join(imported(case, folder / "out.h5"))))
        if case.command.startswith("analyze") and ended.code in (0, 1):
            found += self._shown(case, given)
        return Outcome(case, ended, tuple(dict.fromkeys(found)))

    def _step(self, case: Case) -> int:
        return case.random.choice(list(self.sound))

    def _checked(self, look: Any) -> list[str]:
        ended = run_forked(look, self.home)
        return (
            ended.stdout.split() and ended.stdout.strip().split("\n")
            if ended.code == 0
            else [f"what was written cannot be read: {ended.stderr[-300:]}"]
        )

    def _shown(self, case: Case, given: Path) -> Iterator[str]:
        shown = Case(case.kind, case.mutation, case.seed, SHOW)
        step = ["--step", str(self._step(case))]
        ended = run_forked(lambda: grokscope(*self._words(SHOW, given, self.home / "out"), *step), self.home)
        return untrue(shown, ended, self.sound, self.table)


def _import_everything() -> None:
    import torch

    import grokscope.app.screenshot
    import grokscope.cli.main
    import grokscope.figures.paper
    import grokscope.report.page
    import grokscope.trajectory.importing  # noqa: F401

    torch.set_num_threads(1)


def main(arguments: Sequence[str]) -> int:
    """Do the cases from one number to another, or the one that is named; return how many finds there were."""
    first, last = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else int(arguments[0]) + 1
    counts, finds, started = Counter[str](), 0, time.process_time()
    seconds = 0.0
    with Fuzzer() as fuzzer:
        warm = time.process_time()
        for number in range(first, last):
            outcome = fuzzer.outcome(case_of(number))
            seconds += outcome.ended.seconds
            counts[f"{outcome.case.kind}/{outcome.case.mutation}/{outcome.ended.code}"] += 1
            finds += bool(outcome.problems)
            TIMES[outcome.case.kind, outcome.case.command].append(outcome.ended.seconds)
            if outcome.problems or last - first == 1:
                line = {"number": number, **asdict(outcome.case), "problems": outcome.problems,
                        "code": outcome.ended.code, "stderr": outcome.ended.stderr[-400:]}  # fmt: skip
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    own = time.process_time() - started
    sys.stdout.write(
        json.dumps(
            {
                "cases": last - first,
                "finds": finds,
                "warm": warm - started,
                "own": own - warm + started,
                "seconds": seconds,
                "counts": counts,
            }
        )
        + "\n"
    )
    for key, v in sorted(TIMES.items(), key=lambda i: -sum(i[1]))[:25]:
        sys.stderr.write(f"{key} {len(v)} {sum(v):.2f} max {max(v):.2f}\n")
    return min(finds, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
