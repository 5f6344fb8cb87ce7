"""Fuzz cases one after another, in forked processes: `python -m tests.fuzz.fuzz 0 300` prints a line a find.

A number names a case for ever: `python -m tests.fuzz.fuzz 1234` does that one again, and shows how it ended.
`--light` leaves out the commands that draw or measure much, `--found` adds all that was ever found.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.case import EXPORT, LAYERS, LIGHT, SHOW, WARMING, Case, case_of
from tests.fuzz.child import Ended, grokscope, run_forked
from tests.fuzz.found import FOUND
from tests.fuzz.hdf5_mutations import make_secret
from tests.fuzz.judge import facts_of, lost, problems, untrue
from tests.fuzz.made import made
from tests.fuzz.material import EXTENSIONS, RUN, make

TEXTS = (".html", ".md", ".csv", ".svg")
IN_MEMORY = Path("/dev/shm")  # the disk's syncs would take most of the time


@dataclass(frozen=True)
class Outcome:
    """What a case came to: how its command ended, and what was wrong with that."""

    case: Case
    ended: Ended
    problems: tuple[str, ...]


class Fuzzer:
    """Sound material, and what the sound run says of itself; use it as a context manager.

    This process becomes a warm one, with all loaded that the commands need: what is forked from it starts at once.
    """

    def __init__(self, light: bool = False) -> None:
        """Prepare for all commands, or for the light ones alone."""
        self._warming = LIGHT if light else WARMING

    def __enter__(self) -> Fuzzer:
        """Make the material, and do once what loads modules and fills caches."""
        self._folder = tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        self.home = Path(self._folder.name)
        os.environ["MPLCONFIGDIR"] = str(self.home)
        os.environ.setdefault("XDG_CACHE_HOME", str(self.home / "cache"))
        self.material = self.home / "material"
        make(self.material, self._command)
        make_secret(self.material / "secret.h5")
        self._warm_up()
        self.sound = self._sound()
        self.tables = {command: self._said(*command.replace("{path}", "").split()) for command in (EXPORT, LAYERS)}
        gc.freeze()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove all."""
        self._folder.cleanup()

    def copy(self) -> Path:
        """Return a fresh copy of the material."""
        folder = self.home / "case"
        shutil.rmtree(folder, ignore_errors=True)
        return Path(shutil.copytree(self.material, folder))

    def outcome(self, case: Case) -> Outcome:
        """Change a copy of the material, give it to the command, and judge."""
        folder = self.copy()
        given = case.mutate(folder)
        run = folder / "run" / RUN
        if case.kind == "run":
            shutil.copy(run, self.home / "before.h5")
        before = facts_of(folder)
        ended = self._run(self._words(case.command, given, folder / "out") + self._step(case, case.command))
        after = facts_of(folder)
        drawn = [path for path in folder.rglob("out*/**/*") if path.suffix in TEXTS]
        found = [
            *problems(case, ended, before, after, [*drawn, *folder.glob("out.svg")]),
            *untrue(case, case.command, ended, self.sound, self.tables),
        ]
        if case.kind == "run" and before[f"run/{RUN}"] != after.get(f"run/{RUN}") and ended.code == 0:
            found += self._checked(lambda: lost(self.home / "before.h5", run))
        if (folder / "out.h5").exists():
            found += self._checked(lambda: made(case, folder, self.material))
        if case.command.startswith("analyze") and ended.code in (0, 1):
            shown = self._run(self._words(SHOW, given, folder / "out") + self._step(case, SHOW))
            found += untrue(case, SHOW, shown, self.sound, self.tables)
        return Outcome(case, ended, tuple(dict.fromkeys(found)))

    def _step(self, case: Case, command: str) -> list[str]:
        """Choose one of the sound run's steps to be shown: a damaged one is refused, others are as they were."""
        if command != SHOW or case.kind not in ("run", "spectra"):
            return []
        return ["--step", str(case.random.choice(list(self.sound)))]

    def _run(self, words: Sequence[str | Path]) -> Ended:
        return run_forked(lambda: grokscope(*words), self.home)

    def _command(self, *words: str | Path) -> int:
        return self._run(words).code

    def _said(self, *words: str) -> str:
        ended = self._run([words[0], self.material / "run" / RUN, *words[1:]])
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def _sound(self) -> dict[int, Any]:
        steps = json.loads(self._said("info", "--json"))["steps"]
        return {step: json.loads(self._said("show", "--json", "--step", str(step))) for step in steps}

    def _warm_up(self) -> None:
        folder = self.copy()
        paths = [folder / "run" / RUN, *(folder / kind for kind in EXTENSIONS)]
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            for path in paths:
                for command in self._warming if path is paths[0] else LIGHT:
                    with suppress(SystemExit):
                        grokscope(*self._words(command, path, self.home / "warm"))
        assert threading.active_count() == 1

    def _checked(self, look: Callable[[], Iterator[str]]) -> list[str]:
        """Look at what was written in a process of its own: HDF5 might crash."""
        ended = run_forked(lambda: sys.stdout.write("".join(f"{found}\n" for found in look())) and 0, self.home)
        return ended.stdout.splitlines() if ended.code == 0 else [f"what was written: {ended.stderr[-300:]}"]

    @staticmethod
    def _words(command: str, path: Path, out: Path) -> list[str]:
        return [word.format(path=path, out=out) for word in command.split()]


def do_cases(fuzzer: Fuzzer, cases: Sequence[Case]) -> int:
    """Do cases, print a line for each find and one that sums up; return the number of finds."""
    counts, commands, seconds, finds = Counter[str](), Counter[str](), 0.0, 0
    for case in cases:
        outcome = fuzzer.outcome(case)
        ended = outcome.ended
        seconds += ended.seconds
        counts[f"{case.kind}/{case.mutation}/{ended.code}"] += 1
        commands[f"{case.command.split()[0]}/{ended.code}"] += 1
        if len(cases) == 1:
            sys.stdout.write(f"{case}\n{ended.stdout}{ended.stderr}")
        if outcome.problems:
            finds += 1
            words = {"problems": outcome.problems, "code": ended.code, "stderr": ended.stderr[-400:]}
            sys.stdout.write(json.dumps(asdict(case) | words) + "\n")
            sys.stdout.flush()
    summary = {"cases": len(cases), "finds": finds, "seconds": round(seconds, 1)}
    sys.stdout.write(json.dumps(summary | {"counts": counts, "commands": commands}) + "\n")
    return finds


def main(arguments: Sequence[str]) -> int:
    """Do the cases from one number to another, or the one that is named; return 1 where anything was wrong."""
    light, numbers = "--light" in arguments, [int(word) for word in arguments if word.isdecimal()]
    first, last = numbers if len(numbers) == 2 else (numbers[0], numbers[0] + 1)
    cases = [case_of(number, light) for number in range(first, last)]
    cases += FOUND if "--found" in arguments else ()
    with Fuzzer(light) as fuzzer:
        return min(do_cases(fuzzer, cases), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
