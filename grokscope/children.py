"""Child processes of this very Python, which import nothing from the folder that the user happens to be in."""

from __future__ import annotations

import sys


def python_module(module: str, *arguments: object) -> list[str]:
    """Return the command that runs an installed module; a file of its name in the current folder is left alone."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]
