"""Progress on stderr: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live

from grokscope.names import safe_name
from grokscope.numbers import duration
from grokscope_train.ensemble import Member, StepsReached
from grokscope_train.step_line import StepLine

LINE_SECONDS = 10.0


class ProgressDisplay:
    """Steps done, steps a second, time left, and the accuracies of the newest checkpoint."""

    def __init__(self, first: int, last: int, name: str) -> None:
        """Prepare for steps `first` to `last` of the run called `name`."""
        self._last, self._name = last, safe_name(name)
        self._metrics: dict[str, float] = {}
        self._line_at = -math.inf
        console = Console(stderr=True)
        self._terminal = console.is_interactive
        # a refreshing thread would take time from training
        self._live = Live(StepLine({"name": self._name}, first, last), console=console, auto_refresh=False)

    def __enter__(self) -> ProgressDisplay:
        """Show the bar."""
        if self._terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._live.stop()

    def tick(self, step: int, steps_per_second: float) -> None:
        """Redraw."""
        parts = {
            "name": self._name,
            "steps": f"{step:,}/{self._last:,}",
            **self._pace(step, steps_per_second),
            "accuracies": self._accuracies(),
        }
        if self._terminal:
            self._live.update(StepLine(parts, step, self._last), refresh=True)
        elif time.monotonic() - self._line_at > LINE_SECONDS:
            self._line_at = time.monotonic()
            sys.stderr.write(f"{'  '.join(text for text in parts.values() if text)}\n")

    def checkpoint(self, step: int, metrics: dict[str, float]) -> None:
        """Keep the accuracies, and draw at the last step."""
        self._metrics = metrics
        if step == self._last and self._terminal:
            self.tick(step, math.nan)

    def diverged(self, path: Path, step: int) -> None:
        """Say so above the bar."""
        sentence = f"grokscope: {path}: the loss is not finite at step {step:,}; lower --lr or --init-scale"
        self._live.console.print(safe_name(sentence), soft_wrap=True, markup=False, highlight=False)

    def _pace(self, step: int, rate: float) -> dict[str, str]:
        if not rate > 0:
            return {}
        return {"rate": f"{rate:,.0f} steps/s", "left": f"{duration((self._last - step) / rate)} left"}

    def _accuracies(self) -> str:
        if not self._metrics:
            return ""
        train, test = self._metrics["train_accuracy"], self._metrics["test_accuracy"]
        return f"train {100 * train:.1f}  test {100 * test:.1f}"


class EnsembleDisplay:
    """A bar over the steps of all seeds together, and how many of them are done."""

    def __init__(self, last: int, name: str, replaced: Collection[str] = ()) -> None:
        """Prepare for members of `last` steps each; runs of the uuids in `replaced` make way for them."""
        self._last, self._step_reached = last, StepsReached(replaced)
        self._display = ProgressDisplay(0, last, name)
        self._pace = (time.monotonic(), -1.0)

    def __enter__(self) -> EnsembleDisplay:
        """Show the bar."""
        self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it stands."""
        self._display.__exit__(kind, error, trace)

    def __call__(self, members: Sequence[Member]) -> None:
        """Redraw: the mean step of the members, and its rate since the first call."""
        reached = [self._last if member.code == 0 else self._step_reached(member.path) for member in members]
        mean = sum(reached) / len(reached)
        since, first = self._pace
        if first < 0:
            self._pace = since, first = time.monotonic(), mean
        rate = (mean - first) / max(time.monotonic() - since, 1e-9)
        self._display.tick(round(mean), rate)
