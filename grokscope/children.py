"""Child processes of this very Python: they import nothing from the folder that the user happens to be in, and end
with their parent."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator

LOOK_SECONDS = 0.5


def python_module(module: str, *arguments: object) -> list[str]:
    """Return the command that runs an installed module; a file of its name in the current folder is left alone."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Let every Python that any library starts meanwhile leave the current folder alone, as `-P` does."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def end_with(parent: int) -> None:
    """Have this process, a child of process `parent`, end soon after it, also where that one is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="grokscope-end-with-parent").start()
