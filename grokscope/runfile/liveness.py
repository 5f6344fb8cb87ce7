"""Whether a run is still being trained, told from its lock, its last heartbeat and its plan."""

from __future__ import annotations

import math
from dataclasses import dataclass

STATE_CODES = {"none": 0, "running": 1, "interrupted": 2, "finished": 3}
STALLED_SECONDS = 60.0  # a trainer beats every second; nothing that it does takes a minute


@dataclass(frozen=True)
class Liveness:
    """How a run's training stands.

    `state` is running, stalled (its process lives but does not move), finished, interrupted (stopped and saved),
    crashed (its process is gone without a word) or static (imported, never trained by a recorder that beats).
    `step` and `steps_per_second` are the last heartbeat's, `seconds_since` its age; NaN where unknown.
    """

    state: str
    step: int
    steps_per_second: float
    seconds_since: float
    eta_seconds: float


def liveness(heartbeat: tuple[float, float, float, float], locked: bool, last_step: int, now: float) -> Liveness:
    """Combine a heartbeat (step, time, steps per second, state code) with the lock's state.

    `last_step` is the plan's last step, `now` the time in seconds since 1970. A heartbeat whose step, time or
    state is no number, which only damage leaves, says nothing.
    """
    step, beaten, rate, code = heartbeat
    if code == STATE_CODES["none"] or not all(map(math.isfinite, (step, beaten, code))):
        return Liveness("running" if locked else "static", -1, float("nan"), float("nan"), float("nan"))
    age = max(now - beaten, 0.0)
    state = _state(int(code), locked, age)
    remaining = max(last_step - step, 0.0)
    eta = remaining / rate if rate > 0 and state == "running" else float("nan")
    return Liveness(state, int(step), rate, age, eta)


def _state(code: int, locked: bool, age: float) -> str:
    if code == STATE_CODES["finished"]:
        return "finished"
    if code == STATE_CODES["interrupted"] and not locked:
        return "interrupted"
    if not locked:
        return "crashed"
    return "stalled" if age > STALLED_SECONDS else "running"
