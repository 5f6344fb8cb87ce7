"""The process that analyses for the viewer: a checkpoint's number, or several to verify, and its run in (JSON), a
line out.

`python -m grokscope.app.analyst_process` ends when its input does, so it never outlives its viewer by more than
one checkpoint. A process, because matrices in a thread would delay the keys and count as the viewer's memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import TextIO

from grokscope.errors import GrokscopeError, RunLocked
from grokscope.trajectory import Place, Trajectory, find_damaged

DONE, LOCKED, DAMAGED, FAILED = "done", "locked", "damaged", "failed"


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Analyse each checkpoint that is asked for; answer `done`, `locked`, or `damaged` or `failed` and the reason.

    Where a list of checkpoints is asked for, they are verified; the answer is the list of the damaged ones.
    """
    for request in requests:
        what, *words = json.loads(request)
        print(_answer(Place.named(words), what), file=answers, flush=True)


@lru_cache(maxsize=16)
def _opened(place: Place) -> Trajectory:
    return place.open()


def _answer(place: Place, what: int | list[int]) -> str:
    from grokscope.analysis.engine import analyze

    try:
        run = _opened(place)
        run.refresh()
        if isinstance(what, list):
            return json.dumps(sorted(find_damaged(run, what)))
        damaged = analyze(run, indices=[what]).damaged
    except RunLocked:
        return LOCKED
    except (GrokscopeError, OSError, KeyError, RuntimeError, IndexError) as error:
        return f"{FAILED} {' '.join(str(error).split())}"
    return f"{DAMAGED} {' '.join(damaged[what].split())}" if damaged else DONE


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(5)  # the viewer and a trainer come first
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin, sys.stdout)
