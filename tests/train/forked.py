"""Trainers in processes of their own, forked so that none has to import anything, and killed for real."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from grokscope_train.config import TrainConfig
from grokscope_train.loop import Outcome, train
from grokscope_train.run import resume, start
from grokscope_train.signals import StopRequest

from grokscope.errors import GrokscopeError
from grokscope.runfile import Run

EXIT_CODES = {Outcome.FINISHED: 0, Outcome.DIVERGED: 1, Outcome.INTERRUPTED: 130}


class Acknowledging:
    """A display that writes the step of every committed checkpoint into a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tick(self, step: int, steps_per_second: float) -> None:
        pass

    def checkpoint(self, step: int, metrics: dict[str, float]) -> None:
        os.write(self._descriptor, f"{step}\n".encode())

    def diverged(self, path: Path, step: int) -> None:
        pass


class Forked:
    """A forked process that does some work and exits with the code that it returns."""

    def __init__(self, work: Callable[[], int]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            with _exit_without_cleanup() as leave:
                leave(work())

    def kill_after(self, seconds: float, number: int = signal.SIGKILL) -> int:
        """Send a signal after a time, unless the process ended before; return its exit code, -n for signal n."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return self._leave(status)
            time.sleep(0.001)
        os.kill(self.pid, number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        return self._leave(os.waitpid(self.pid, 0)[1])

    def _leave(self, status: int) -> int:
        return os.waitstatus_to_exitcode(status)


class Trainer(Forked):
    """A forked process that trains `path`, from its start or from where the file stopped."""

    def __init__(self, path: Path, config: TrainConfig, save_seconds: float = 0.02) -> None:
        self._reading, writing = os.pipe()
        super().__init__(lambda: _train(path, config, save_seconds, Acknowledging(writing)))
        os.close(writing)
        self.acknowledged: list[int] = []

    def wait_for_checkpoint(self) -> int | None:
        """Return the next acknowledged step, or None where the process has ended."""
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._reading, 1)
            if not byte:
                return None
            line += byte
        self.acknowledged.append(int(line))
        return self.acknowledged[-1]

    def _leave(self, status: int) -> int:
        while self.wait_for_checkpoint() is not None:
            pass
        os.close(self._reading)
        return super()._leave(status)


def _train(path: Path, config: TrainConfig, save_seconds: float, display: Acknowledging) -> int:
    with StopRequest() as stop:
        if path.exists():
            training, writer = resume(path, {"steps": config.steps}, None, other_place=False)
        else:
            training, writer = start(path, config, None, overwrite=False)
        with writer:
            [outcome] = train(training, [writer], stop, display, save_seconds)
            return EXIT_CODES[outcome]


@contextlib.contextmanager
def _exit_without_cleanup() -> Iterator[Callable[[int], None]]:
    """End a forked child whatever happens, without running the test session's exit handlers."""
    try:
        yield os._exit
    except GrokscopeError:
        os._exit(2)
    except BaseException:
        traceback.print_exc()
        os._exit(99)


def limit_file_size(pid: int, size: int) -> None:
    """Let a process write no file beyond `size` bytes, as on a disk that is full."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def finished_run(path: Path, config: TrainConfig) -> Run:
    """Train without interruption and return the run."""
    assert Trainer(path, config).wait() == 0
    return Run.open(path)


def assert_same_run(ours: Run, theirs: Run) -> None:
    """Compare every byte that training determines: steps, weights, biases, metrics, predictions."""
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    for layer in theirs.layers:
        for index in range(theirs.num_checkpoints):
            assert ours.weight(index, layer.name).tobytes() == theirs.weight(index, layer.name).tobytes()
            assert ours.bias(index, layer.name).tobytes() == theirs.bias(index, layer.name).tobytes()
    for name, values in theirs.metrics().items():
        assert ours.metrics()[name].tobytes() == values.tobytes(), name
    np.testing.assert_array_equal(ours.predictions(), theirs.predictions())
