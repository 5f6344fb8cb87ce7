"""Commands that are killed at a random moment: `python -m tests.fuzz.kills 0 600` prints a line for each find.

Afterwards nothing is lost, no worker is left, and the same command, given again, ends in what it ends in where it
is never killed, with nothing left beside its result.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.fuzz.child import Forked, grokscope, run_forked
from tests.fuzz.fuzz import Fuzzer
from tests.fuzz.judge import facts_of, lost, rows_of
from tests.fuzz.material import RUN

OPTIONS = (
    "--dataset digits --steps 300 --width 12 --checkpoints-per-decade 8 --train-points 100 --engine torch "
    "--threads 1 --init-scale 1 --save-seconds 0.02"
)
COMMANDS = {
    "train": (24, f"train -o {{run}} {OPTIONS}"),
    "analyze": (20, "analyze -j 1 {run}"),
    "import": (24, "import {folder} -o {out}.h5 --overwrite"),
    "compact": (20, "compact {run}"),
    "report": (12, "report {run} -o {out}"),
    "export": (8, "export {run}"),
    "branch": (12, "branch {run} --at 40 -o {out}.h5 --steps 300 --save-seconds 0.02"),
    "analyze with workers": (5, "analyze -j 2 {run}"),
    "train with workers": (5, f"train -o {{run}} --seeds 0-1 --no-batched {OPTIONS}"),
}
BEGIN_AGAIN = "make the branch again"  # what a branch is told that was killed before its first state was saved
LEFT_SECONDS = 60.0  # for workers to save and end on a machine that has other things to do


class Kills:
    """One kill after another, each on a fresh copy of the sound material."""

    def __init__(self, fuzzer: Fuzzer) -> None:
        """Begin with no command known."""
        self.fuzzer, self._known = fuzzer, dict[str, tuple[object, float]]()

    def _right(self, name: str) -> tuple[object, float]:
        """Return in what a command ends that is not killed, and how many seconds it takes."""
        if name not in self._known:
            folder, began = self._prepared(name), time.monotonic()
            result = self._result(name, folder)
            self._known[name] = result, time.monotonic() - began
        return self._known[name]

    def kill(self, number: int) -> tuple[str, bool, list[str]]:
        """Kill a command; return its name, whether it still lived, and what was wrong afterwards."""
        random = Random(number)
        [name] = random.choices(list(COMMANDS), [weight for weight, _ in COMMANDS.values()])
        right, seconds = self._right(name)
        folder = self._prepared(name)
        before = facts_of(folder)
        forked = Forked(lambda: grokscope(*self._words(name, folder)), self.fuzzer.home)
        time.sleep(moment := random.uniform(0.0, seconds))
        os.kill(forked.pid, signal.SIGKILL)
        if not (met := forked.wait().code == -signal.SIGKILL):
            self._known[name] = right, moment  # it takes less long by now, and is to be met the next time
        return name, met, list(self._problems(name, folder, forked.pid, before))

    def _prepared(self, name: str) -> Path:
        folder = self.fuzzer.copy()
        if name.startswith("analyze"):
            (folder / "run" / "run.spectra.h5").unlink()
        if name.startswith("train"):
            shutil.rmtree(folder / "run")
            (folder / "run").mkdir()
        return folder

    def _words(self, name: str, folder: Path) -> list[str]:
        if name == "branch" and (folder / "out.h5").exists():
            return f"train -o {folder / 'out.h5'} --resume --save-seconds 0.02".split()
        places = {"run": folder / "run" / RUN, "folder": folder / "pt", "out": folder / "out"}
        words = [word.format(**places) for word in COMMANDS[name][1].split()]
        return [*words, "--resume"] if name.startswith("train") and any((folder / "run").glob("*.h5")) else words

    def _result(self, name: str, folder: Path) -> object:
        """Give the command once more, to its end, and return what it came to."""
        ended = run_forked(lambda: grokscope(*self._words(name, folder)), self.fuzzer.home)
        if ended.code == 2 and BEGIN_AGAIN in ended.stderr:
            (folder / "out.h5").unlink()
            return self._result(name, folder)
        if ended.code != 0:
            return f"the next one ended with {ended.code}: {ended.stderr[-300:]}"
        if name.startswith("train"):
            return {path.name: rows_of(path) for path in sorted((folder / "run").glob("*.h5"))}
        if name in ("import", "branch"):
            return rows_of(folder / "out.h5")
        if name.startswith("analyze"):
            return self._shown(folder)
        if name == "report":
            return sorted(path.name for path in (folder / "out").iterdir())
        return ended.stdout if name == "export" else rows_of(folder / "run" / RUN)

    def _shown(self, folder: Path) -> list[object]:
        run = folder / "run" / RUN
        ended = run_forked(lambda: grokscope("show", run, "--json"), self.fuzzer.home)
        return json.loads(ended.stdout)["layers"]  # type: ignore[no-any-return]

    def _problems(self, name: str, folder: Path, leader: int, before: dict[str, str]) -> Iterator[str]:
        deadline = time.monotonic() + LEFT_SECONDS
        while (left := _living_of(leader)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if left:
            yield f"left a worker: {left[0]}"
            os.killpg(leader, signal.SIGKILL)
        if before.get(f"run/{RUN}"):
            yield from lost(self.fuzzer.material / "run" / RUN, folder / "run" / RUN)
        result = self._result(name, folder)
        if result != self._right(name)[0]:
            yield f"another result: {result if isinstance(result, str) else 'other contents'}"
        yield from (f"left {path}" for path in facts_of(folder) if path.endswith((".tmp", ".lock", ".importing")))


def _living_of(session: int) -> list[str]:
    """Return what the living processes of a session are called."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        state, _, _, of, *_ = rest.split()
        if int(of) == session and state != "Z":
            found.append(name)
    return found


def do_kills(fuzzer: Fuzzer, numbers: Sequence[int]) -> int:
    """Kill as often as there are numbers, print a line for each find and one that sums up; return how many."""
    kills, met, finds = Kills(fuzzer), Counter[str](), 0
    for number in numbers:
        name, lived, problems = kills.kill(number)
        met[f"{name}/{'killed' if lived else 'had ended'}"] += 1
        if problems:
            finds += 1
            sys.stdout.write(json.dumps({"number": number, "command": name, "problems": problems}) + "\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps({"kills": len(numbers), "finds": finds, "counts": met}) + "\n")
    return finds


def main(arguments: Sequence[str]) -> int:
    """Kill from one number to another; return 1 where anything was wrong."""
    with Fuzzer() as fuzzer:
        return min(do_kills(fuzzer, range(*map(int, arguments))), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
