"""What the app does about its own process: its garbage, its job in a shell, and its terminal."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys


def collect_garbage() -> None:
    """Look for garbage again where that was put off until all is loaded, never in what was and seldom in what
    stays: reading a large run makes 100,000 objects, and to look through them takes as long as several frames."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


def stop_job() -> bool:
    """Stop the process group until it is continued; returns at once, and False, where nobody could continue it.

    Only the usual way of stopping knows that: the kernel ignores it in a group without a shell of its session.
    """
    continued: list[int] = []
    handlers = {
        signal.SIGTSTP: signal.signal(signal.SIGTSTP, signal.SIG_DFL),
        signal.SIGCONT: signal.signal(signal.SIGCONT, lambda number, _: continued.append(number)),
    }
    os.killpg(os.getpgrp(), signal.SIGTSTP)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    return bool(continued)


def end_with_terminal() -> None:
    """End as by a hangup where the terminal is gone and none came, or it is ignored; reading would never end."""
    terminal = select.poll()
    terminal.register(sys.__stdin__ or 0, 0)  # POLLHUP is always told
    if any(event & (select.POLLHUP | select.POLLERR) for _, event in terminal.poll(0)):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGHUP)
