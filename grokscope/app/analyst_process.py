"""The process that analyses for the viewer: a checkpoint's number and its run in (JSON), a word out.

`python -m grokscope.app.analyst_process` ends when its input does, so it never outlives its viewer by more than
one checkpoint. A process, because matrices in a thread would delay the keys and count as the viewer's memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from grokscope.errors import GrokscopeError, RunLocked

DONE, LOCKED, FAILED = "done", "locked", "failed"


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Analyse each checkpoint that is asked for, and answer `done`, `locked` or `failed` with a reason."""
    for request in requests:
        index, path = json.loads(request)
        print(_answer(Path(path), index), file=answers, flush=True)


def _answer(path: Path, index: int) -> str:
    from grokscope.analysis.engine import analyze
    from grokscope.runfile import Run

    try:
        analyze(Run.open(path), indices=[index])
    except RunLocked:
        return LOCKED
    except (GrokscopeError, OSError, KeyError, RuntimeError, IndexError) as error:
        return f"{FAILED} {' '.join(str(error).split())}"
    return DONE


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(5)  # the viewer and a trainer come first
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin, sys.stdout)
