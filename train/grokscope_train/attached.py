"""`python -m grokscope_train.attached PID …` is `python -m grokscope …` that stops when its parent, PID, is gone.

A parent that is killed cannot stop its children, and a training that nobody waits for would hold its file for
days. The kernel sends SIGTERM in its place, on which training saves and ends. Elsewhere than on Linux nothing
changes.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def stop_with(parent: int) -> None:
    """Ask the kernel for SIGTERM when the thread of the parent that started this process ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has died already
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if sys.platform == "linux":
        stop_with(int(sys.argv[1]))
    del sys.argv[1]
    runpy.run_module("grokscope", run_name="__main__", alter_sys=True)
