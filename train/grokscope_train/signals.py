"""Signals that ask training to stop: remembered, acted upon between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class StopRequest:
    """While active, the first SIGINT, SIGTERM, SIGUSR1 or SIGHUP is remembered; a second SIGINT stops at once.

    A signal never interrupts what is being computed or written: an evaluation ends and its checkpoint is
    committed before the loop looks here.
    """

    def __init__(self) -> None:
        """Prepare; nothing is installed yet."""
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        """Install the handlers."""
        for number in STOPPING:
            self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the former handlers back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or signal.Signals(number)

    def __bool__(self) -> bool:
        """Tell whether to stop."""
        return self.received is not None
