"""The app as its user feels it, in a real pseudo-terminal: bytes, latencies, memory, and the way out.

python benchmarks/app.py [--small RUN.h5] [--large RUN.h5] [--starts 5] [--keys 20] [--quits 20]

Without --small and --large it makes a run of 3 layers and one of 288 layers × 100 checkpoints and analyses them,
which takes minutes. A key's latency is the time from writing it to the pseudo-terminal until the new step has been
read back; every pane is drawn in the same update. Processor times are the viewer's own: a busy machine changes
them little.
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

from grokscope.analysis import Parameters, analyze
from grokscope.app.session import MANY
from grokscope.runfile import LayerSpec, Run, RunWriter
from grokscope.runfile.schedule import log_steps

SMALL = (LayerSpec("fc1", (200, 784)), LayerSpec("fc2", (200, 200)), LayerSpec("fc3", (10, 200)))
PARTS = ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.up", "mlp.down")
LARGE = tuple(LayerSpec(f"model.layers.{block}.{part}", (32, 24)) for block in range(48) for part in PARTS)
QUICK = Parameters(permutations=2, null_draws=100)

BYTES = {(80, 24): 20_000, (200, 60): 70_000}
"""What one step may send, by size."""

VIEWS = ("overview", "spectrum", "traps", "trajectories", "heatmap", "spectrogram")
ROW = "{:<40} {:>12} {:>12} {:>12}   {}"
HIDDEN = {"COLUMNS", "LINES", "NO_COLOR", "PYTHONDONTWRITEBYTECODE"}
"""Variables that would change the size, the colours, or make every start compile the sources anew."""


class Viewer:
    """`grokscope view` in a pseudo-terminal of a given size; `read` counts the bytes that have come from it."""

    def __init__(self, run: Path, size: tuple[int, int], *options: str) -> None:
        """Start it."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in HIDDEN}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.started, self.read = time.perf_counter(), 0
        command = [sys.executable, "-m", "grokscope", "view", str(run), *options]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)

    def take(self, seconds: float) -> str:
        """What comes next, nothing where nothing comes in that time."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return ""
        try:
            data = os.read(self.master, 1 << 20)
        except OSError:  # it has gone
            return ""
        self.read += len(data)
        return data.decode(errors="replace")

    def wait(self, words: str, seconds: float = 60) -> float:
        """Read until the words have come; the time at which they had."""
        text, end = "", time.perf_counter() + seconds
        while words not in text:
            new = self.take(end - time.perf_counter())
            if not new and time.perf_counter() >= end:
                raise SystemExit(f"{words} never came:\n{text[-2000:]}")
            text = text[-8000:] + new
        return time.perf_counter()

    def settle(self, seconds: float = 0.15) -> None:
        """Read until nothing has come for a while."""
        while self.take(seconds):
            pass

    def press(self, keys: str) -> float:
        """Type; the time just before."""
        now = time.perf_counter()
        os.write(self.master, keys.encode())
        return now

    def memory(self) -> float:
        """The most memory so far, MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def processor(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def quit(self) -> tuple[float, float]:
        """Leave it as a user does; seconds, and processor seconds, until its process has ended."""
        before = self.processor()
        pressed = self.press("q")
        while (ended := os.wait4(self.process.pid, os.WNOHANG))[0] == 0:
            self.take(0.002)
            if time.perf_counter() - pressed > 30:
                raise SystemExit("q: still there after 30 s")
        took, usage = time.perf_counter() - pressed, ended[2]
        self.process.returncode = ended[1]
        os.close(self.master)
        return took, max(0.0, usage.ru_utime + usage.ru_stime - before)


def make_run(path: Path, checkpoints: int, layers: Sequence[LayerSpec]) -> Path:
    """A run whose weights drift and grow, as trained ones do."""
    with begin(path, checkpoints, layers) as writer:
        for index in range(checkpoints):
            commit(writer, index, checkpoints, layers)
        writer.heartbeat(1, 1.0, "finished")
    return path


def begin(path: Path, checkpoints: int, layers: Sequence[LayerSpec]) -> RunWriter:
    """A run without checkpoints yet, live until it is closed."""
    steps, metrics = log_steps(10**7, 22)[:checkpoints], ["train_accuracy", "test_accuracy"]
    return RunWriter.create(
        path, steps=steps, layers=layers, metrics=metrics, config={}, origin="benchmark", classes=10
    )


def commit(writer: RunWriter, index: int, checkpoints: int, layers: Sequence[LayerSpec]) -> None:
    """Write one checkpoint."""
    rng, share = np.random.default_rng(0), index / checkpoints
    start = {layer.name: rng.standard_normal(layer.shape) * 0.3 for layer in layers}
    weights = {name: weight * (1 + share) + 0.02 * share for name, weight in start.items()}
    accuracy = {"train_accuracy": min(1.0, 2 * share), "test_accuracy": max(0.1, share - 0.1)}
    biases = {layer.name: np.zeros(layer.shape[0]) for layer in layers}
    writer.commit(index, weights, biases, accuracy, np.full(10, 100))


def report(run: Path, starts: int, keys: int) -> None:
    """Measure one run."""
    opened = Run.open(run)
    print(f"\n{len(opened.layers)} layers × {opened.num_checkpoints} checkpoints")
    print(ROW.format("", "median", "95 % below", "processor", "bound"))
    walls, used = zip(*(first_frame(run) for _ in range(starts + 1)), strict=True)
    wall = walls[1:]  # the first start warms the disk
    most = float(np.percentile(wall, 95))
    print(ROW.format("first frame 120×40, s", f"{np.median(wall):.2f}", f"{most:.2f}",
                     f"{np.median(used[1:]):.2f}", "≤ 0.6"))  # fmt: skip
    for size, bound in BYTES.items():
        viewer = Viewer(run, size, "--no-analysis")
        viewer.wait("verdict")
        viewer.settle(3.0)
        before = viewer.read
        viewer.settle(10.0)
        print(ROW.format(f"{size[0]}×{size[1]} idle for 10 s, bytes", viewer.read - before, "", "", "0"))
        for number, view in enumerate(VIEWS, start=1):
            steps_in(viewer, opened, f"{size[0]}×{size[1]} {view}", str(number), keys, bound)
        print(ROW.format(f"{size[0]}×{size[1]} memory, MB", f"{viewer.memory():.0f}", "", "", ""))
        viewer.quit()
    if opened.num_checkpoints * len(opened.layers) >= MANY:
        for number, view in enumerate(VIEWS, start=1):
            times = keys_while_reading(run, opened, str(number), (120, 40))
            print(ROW.format(f"120×40 {view} while it is read, ms", f"{np.median(times):.0f}",
                             f"{np.percentile(times, 95):.0f}", "", "≤ 60"))  # fmt: skip


def first_frame(run: Path) -> tuple[float, float]:
    """Seconds, and processor seconds, from starting to the drawn overview."""
    viewer = Viewer(run, (120, 40))
    found = viewer.wait("verdict") - viewer.started, viewer.processor()
    viewer.settle()
    viewer.quit()
    return found


def keys_while_reading(run: Path, opened: Run, view: str, size: tuple[int, int]) -> list[float]:
    """Milliseconds from key to frame while what is measured is read, until the weights' phase is known."""
    viewer, times = Viewer(run, size, "--no-analysis"), []
    viewer.wait("verdict")
    viewer.press(view)
    viewer.settle(0.05)
    for step in opened.steps[-2:0:-1].tolist():
        pressed = viewer.press("\x1b[D")
        times.append(1e3 * (viewer.wait(f"{step:,}") - pressed))
        text = ""
        while new := viewer.take(0.03):
            text += new
        if "weights say" in text:
            break
    viewer.quit()
    return times


def steps_in(viewer: Viewer, run: Run, name: str, key: str, keys: int, bound: int) -> None:
    """Step through a view: milliseconds from key to frame, processor milliseconds and bytes a step."""
    viewer.press(f"{key}g")
    viewer.settle(1.0)
    times, sizes, before = [], [], viewer.processor()
    for step in run.steps[1 : keys + 1].tolist():
        sent = viewer.read
        pressed = viewer.press("\x1b[C")
        times.append(1e3 * (viewer.wait(f"{step:,}") - pressed))
        viewer.settle(0.3)  # late frames of a busy machine belong to this step
        sizes.append(viewer.read - sent)
    cost = 1e3 * (viewer.processor() - before) / len(times)
    print(ROW.format(f"{name}, ms", f"{np.median(times):.0f}", f"{np.percentile(times, 95):.0f}", f"{cost:.0f}",
                     "≤ 60"))  # fmt: skip
    print(ROW.format("  bytes a step, median and most", f"{np.median(sizes):,.0f}", f"{max(sizes):,}", "",
                     f"≤ {bound:,}"))  # fmt: skip


def quits(folder: Path, count: int) -> None:
    """Quit while a run of 288 layers is live and being analysed."""
    path = folder / "live.h5"
    took, used = [], []
    with begin(path, 20, LARGE) as writer:
        for index in range(10):
            commit(writer, index, 20, LARGE)
        for _ in range(count):
            writer.heartbeat(10, 1.0, "running")
            viewer = Viewer(path, (120, 40))
            viewer.wait("analysing")
            viewer.settle(0.05)
            seconds, processor = viewer.quit()
            took.append(seconds)
            used.append(processor)
    within = sum(seconds <= 0.3 for seconds in took)
    print(f"\nq while {len(LARGE)} layers are live and being analysed: {within} of {count} within 0.3 s;")
    words = f"processor {np.median(used):.2f} s, most {max(used):.2f} s; bound ≤ 0.3 s"
    print(f"median {np.median(took):.2f} s, slowest {max(took):.2f} s; {words}")


def main() -> None:
    """Print a table for each run, then how long q takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--keys", type=int, default=20)
    parser.add_argument("--quits", type=int, default=20)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for given, file, checkpoints, layers in (
            (options.small, "small.h5", 60, SMALL),
            (options.large, "large.h5", 100, LARGE),
        ):
            run = given or make_run(folder / file, checkpoints, layers)
            if given is None:
                analyze(Run.open(run), parameters=QUICK)
            report(run, options.starts, options.keys)
        quits(folder, options.quits)


if __name__ == "__main__":
    main()
