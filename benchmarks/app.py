"""The app as its user feels it, in a real pseudo-terminal: first frame, key to frame, held keys, memory.

python benchmarks/app.py [--run RUN.h5] [--starts 10] [--keys 60] [--large]

Without --run it makes one: 141 checkpoints of a 784-200-200-10 network, and analyses it. --large adds a 1 GB run.
Key to frame is the time from writing the key to the pseudo-terminal until the header with the new checkpoint's
number has been read back from it; every pane is drawn in the same update.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.schedule import log_steps

LAYERS = (LayerSpec("fc1", (200, 784)), LayerSpec("fc2", (200, 200)), LayerSpec("fc3", (10, 200)))
BOUNDS = {(120, 40): 50.0, (200, 60): 80.0}
"""Milliseconds from key to frame, 95th percentile, by size."""

HIDDEN = {"COLUMNS", "LINES", "NO_COLOR", "PYTHONDONTWRITEBYTECODE"}
"""Variables that would change the size, the colours, or make every start compile the sources anew."""

VIEWS = ("overview", "spectrum", "traps", "trajectories")


class Viewer:
    """`grokscope view` in a pseudo-terminal of a given size."""

    def __init__(self, run: Path, size: tuple[int, int], *options: str) -> None:
        """Start it."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in HIDDEN}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "grokscope", "view", str(run), *options]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)

    def wait(self, words: str, seconds: float = 20) -> float:
        """Read until the words have come; the time at which they had."""
        text, end = "", time.perf_counter() + seconds
        while words not in text:
            if not select.select([self.master], [], [], max(0.0, end - time.perf_counter()))[0]:
                raise SystemExit(f"{words} never came:\n{text[-2000:]}")
            text = text[-4000:] + os.read(self.master, 1 << 20).decode(errors="replace")
        return time.perf_counter()

    def settle(self, seconds: float = 0.15) -> None:
        """Read until nothing has come for a while."""
        while select.select([self.master], [], [], seconds)[0]:
            os.read(self.master, 1 << 20)

    def read_for(self, seconds: float) -> None:
        """Read whatever comes in that time."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                os.read(self.master, 1 << 20)

    def press(self, keys: str) -> float:
        """Type; the time just before."""
        now = time.perf_counter()
        os.write(self.master, keys.encode())
        return now

    def memory(self, field: str) -> float:
        """VmRSS (now) or VmHWM (the most so far), in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    def processor(self) -> float:
        """Seconds of processor time used so far: what a busy machine does not change much."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def quit(self) -> None:
        """Leave it as a user does."""
        self.press("q")
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    os.read(self.master, 1 << 20)
                except OSError:
                    break
        self.process.wait(10)
        os.close(self.master)


def make_run(path: Path, checkpoints: int, layers: Sequence[LayerSpec]) -> Path:
    """A run whose weights drift and grow, as trained ones do."""
    rng = np.random.default_rng(0)
    steps = log_steps(10**7, 22)[:checkpoints]  # 143 steps
    start = {layer.name: rng.standard_normal(layer.shape) * 0.3 for layer in layers}
    biases = {layer.name: np.zeros(layer.shape[0]) for layer in layers}
    metrics = ["train_accuracy", "test_accuracy"]
    config: dict[str, object] = {}
    with RunWriter.create(
        path, steps=steps, layers=layers, metrics=metrics, config=config, origin="benchmark", classes=10
    ) as writer:
        for index in range(len(steps)):
            share = index / len(steps)
            weights = {name: weight * (1 + share) + 0.02 * share for name, weight in start.items()}
            accuracy = {"train_accuracy": min(1.0, 2 * share), "test_accuracy": max(0.1, share - 0.1)}
            writer.commit(index, weights, biases, accuracy, np.full(10, 100))
        writer.heartbeat(int(steps[-1]), 1.0, "finished")
    return path


def first_frames(run: Path, starts: int) -> list[tuple[float, float]]:
    """Seconds, and processor seconds, from starting to the drawn overview; a first start warms the disk."""
    found = []
    for _ in range(starts + 1):
        viewer = Viewer(run, (120, 40))
        found.append((viewer.wait("ESD") - viewer.started, viewer.processor()))
        viewer.settle()
        viewer.quit()
    return found[1:]


def while_analysing(run: Path, keys: int) -> tuple[list[float], float]:
    """Milliseconds from each key to its frame while the run is being analysed; checkpoints analysed a second."""
    count = Run.open(run).num_checkpoints
    viewer = Viewer(run, (120, 40))
    viewer.wait("analysing")
    viewer.press("g")
    viewer.read_for(0.5)
    times, before, started = [], _analysed(run), time.perf_counter()
    for index in range(1, min(keys, count - 1) + 1):
        pressed = viewer.press("\x1b[C")
        times.append(1e3 * (viewer.wait(f"{index + 1}/{count}") - pressed))
        viewer.read_for(0.1)
    rate = (_analysed(run) - before) / (time.perf_counter() - started)
    viewer.quit()
    return times, rate


def _analysed(run: Path) -> int:
    return int(Spectra.open(Run.open(run)).done.all(axis=1).sum())


def key_to_frame(run: Path, size: tuple[int, int], keys: int) -> dict[str, tuple[list[float], float]]:
    """Milliseconds from each key to its frame, and processor milliseconds a key, by view."""
    count = Run.open(run).num_checkpoints
    found: dict[str, tuple[list[float], float]] = {}
    viewer = Viewer(run, size)
    viewer.wait("ESD")
    viewer.settle(1.0)
    for number, view in enumerate(VIEWS, start=1):
        viewer.press(f"{number}g")
        viewer.settle(0.5)
        times, before = [], viewer.processor()
        for index in range(1, min(keys, count - 1) + 1):
            pressed = viewer.press("\x1b[C")
            times.append(1e3 * (viewer.wait(f"{index + 1}/{count}") - pressed))
            viewer.settle(0.02)
        found[view] = (times, 1e3 * (viewer.processor() - before) / len(times))
    viewer.quit()
    return found


def hold(run: Path, per_second: float = 30.0) -> tuple[bool, float]:
    """Hold → through the whole run; whether it ends on the last checkpoint, and how long after the last key."""
    count = Run.open(run).num_checkpoints
    viewer = Viewer(run, (120, 40))
    viewer.wait("ESD")
    viewer.press("g")
    viewer.settle(0.5)
    for _ in range(count - 1):
        last = viewer.press("\x1b[C")
        select.select([], [], [], 1 / per_second)
        while select.select([viewer.master], [], [], 0)[0] and f"{count}/{count}" not in _read(viewer):
            pass
    viewer.press("t")  # a theme draws everything again, the header with it
    shown = viewer.wait(f"{count}/{count}")
    viewer.quit()
    return True, shown - last


def _read(viewer: Viewer) -> str:
    return os.read(viewer.master, 1 << 20).decode(errors="replace")


def memory(run: Path, *options: str) -> float:
    """The most memory that the viewer held, MB, after going through all checkpoints and views."""
    count = Run.open(run).num_checkpoints
    viewer = Viewer(run, (200, 60), *options)
    viewer.wait("ESD")
    for view in "1234":
        viewer.press(f"{view}g")
        viewer.settle(0.3)
        for _ in range(0, count, 3):
            viewer.press("\x1b[C" * 3)
            viewer.settle(0.02)
    viewer.settle(1.0)
    most = viewer.memory("VmHWM")
    viewer.quit()
    return most


def main() -> None:
    """Print a row for each measure, with its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or make_run(Path(folder) / "run.h5", 141, LAYERS)
        analyze(Run.open(run), parameters=None if options.run else Parameters(permutations=3, null_draws=200))
        report(run, options.starts, options.keys)
        new = make_run(Path(folder) / "new.h5", 141, LAYERS)
        times, rate = while_analysing(new, options.keys)
        words = f"p95 {np.percentile(times, 95):5.1f} worst {max(times):5.1f} ms"
        words += f"    (≤ 100; {rate:.1f} checkpoints a second)"
        print(f"while analysing             median {np.median(times):5.1f} {words}")
        if options.large:
            wide = (LayerSpec("fc1", (1000, 1500)), LayerSpec("fc2", (400, 1000)))
            large = make_run(Path(folder) / "large.h5", 141, wide)
            size = large.stat().st_size / 1e9
            print(f"memory, {size:.2f} GB run      {memory(large):7.0f} MB    (≤ 150)")


def report(run: Path, starts: int, keys: int) -> None:
    """Measure one run."""
    print(f"{Run.open(run).num_checkpoints} checkpoints, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    times, processor = zip(*first_frames(run, starts), strict=True)
    words = f"(≤ 0.5; processor {np.median(processor):.2f} s)"
    print(f"first frame, median / worst {np.median(times):7.2f} / {max(times):.2f} s    {words}")
    for size, bound in BOUNDS.items():
        for view, (found, cost) in key_to_frame(run, size, keys).items():
            middle, most = np.median(found), np.percentile(found, 95)
            words = f"(≤ {bound:.0f}; processor {cost:.0f} ms)"
            print(f"{size[0]}×{size[1]} {view:13} median {middle:5.1f} p95 {most:5.1f} ms    {words}")
    arrived, after = hold(run)
    print(f"holding → ends on the last  {arrived!s:>7}, {after:.2f} s after the last key")
    print(f"memory                      {memory(run):7.0f} MB    (≤ 150)")


if __name__ == "__main__":
    main()
