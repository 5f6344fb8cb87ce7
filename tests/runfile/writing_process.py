"""A process that writes the test run until it is killed, and says which checkpoints are safe."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from grokscope.errors import GrokscopeError
from grokscope.runfile import RunWriter
from tests.runfile.conftest import commit, create


def main(path: Path, length: int) -> None:
    """Write checkpoints from the first missing one, acknowledging each on stdout."""
    writer = RunWriter.reopen(path) if path.exists() else create(path, steps=np.arange(length))
    with writer:
        for index in range(int(writer.committed.sum()), length):
            commit(writer, index)
            sys.stdout.write(f"{index}\n")
            sys.stdout.flush()
            writer.save_resume(index, {"parameters": np.full(7, index), "counter": np.array([index])})
            writer.heartbeat(index, 1.0)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except GrokscopeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
