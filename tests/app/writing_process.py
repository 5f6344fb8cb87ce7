"""A trainer for the live tests: a checkpoint of the story for every line on stdin, beating all the while."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from grokscope.runfile import RunWriter
from tests.app.conftest import STEPS, commit, create


def main(path: Path) -> None:
    """`commit` writes the next checkpoint, `finish` ends the training, as a trainer does."""
    writer = RunWriter.reopen(path) if path.exists() else create(path)
    stop = threading.Event()
    lock = threading.Lock()

    def beat() -> None:
        while not stop.wait(0.3):
            with lock:
                writer.heartbeat(STEPS[max(0, int(writer.committed.sum()) - 1)], 50.0, "running")

    with writer:
        thread = threading.Thread(target=beat)
        thread.start()
        for line in sys.stdin:
            index = int(writer.committed.sum())
            with lock:
                if line.strip() == "finish":
                    stop.set()
                    writer.heartbeat(STEPS[index - 1], 50.0, "finished")
                    break
                commit(writer, index)
            sys.stdout.write(f"{index}\n")
            sys.stdout.flush()
        stop.set()
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
