"""The clipboard within tmux, which by default does not heed what a program asks its terminal to copy."""

from __future__ import annotations

import contextlib
import os
import subprocess

TMUX_SECONDS = 2


def copy_within_tmux(text: str) -> None:
    """Put text into a paste buffer of the tmux around this process, and from there into its terminal's."""
    if not os.environ.get("TMUX"):
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["tmux", "load-buffer", "-w", "-"]
        subprocess.run(command, input=text.encode(), timeout=TMUX_SECONDS, check=False, capture_output=True)
