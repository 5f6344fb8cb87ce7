"""Time per checkpoint beside WeightWatcher's, and as a multiple of the bare singular values; BLAS has one thread.

    python benchmarks/spectra_speed.py [RUN_FOLDER] [--checkpoints 9] [--weightwatcher-checkpoints 3]
    python benchmarks/spectra_speed.py --layers 768x768 2048x2048 4096x11008 [--threads 2]
    python benchmarks/spectra_speed.py --model 300

RUN_FOLDER holds safetensors checkpoints with fc1, fc2 and fc3; without it, random weights with a drifting mean
are measured. Ours does 20 permutations, WeightWatcher's analyze(randomize=True, mp_fit=True) its one. `--layers`:
layers of Gaussian entries with a mean that makes a trap, each in a process of its own; `--model`: so many layers
of 768 × 768 by `grokscope analyze`. Times are of the processor where nothing else is said, so that other programs
do not count.
"""

# ruff: noqa: E402 (thread counts are read when numpy is imported)

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import contextlib
import io
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]
SHAPES = {"fc1": (200, 784), "fc2": (200, 200), "fc3": (10, 200)}


def checkpoints(folder: Path | None, count: int) -> list[tuple[int, Weights]]:
    """(step, weights) of `count` checkpoints spread evenly over the folder, or generated ones."""
    if folder is None:
        return [generated(number / max(count - 1, 1), number) for number in range(count)]
    from safetensors.numpy import load_file

    paths = sorted(folder.glob("*.safetensors"))
    chosen = [paths[number] for number in np.linspace(0, len(paths) - 1, count).round().astype(int)]
    return [
        (int(path.stem.split("-")[-1]), {name: load_file(path)[f"{name}.weight"] for name in SHAPES})
        for path in chosen
    ]


def generated(drift: float, seed: int) -> tuple[int, Weights]:
    """Uniform weights whose mean drifts out of the noise."""
    rng = np.random.default_rng(seed)
    return seed, {
        name: (rng.standard_normal(shape) + 0.2 * drift).astype(np.float32) for name, shape in SHAPES.items()
    }


def seconds(work: Callable[[int, Weights], object], chosen: list[tuple[int, Weights]]) -> float:
    """Mean time of a checkpoint, of the processor."""
    start = time.process_time()
    for step, weights in chosen:
        work(step, weights)
    return (time.process_time() - start) / len(chosen)


def grokscope(step: int, weights: Weights) -> None:
    from grokscope.spectra import analyze_layer

    for name, weight in weights.items():
        analyze_layer(weight, name, step=step)


def bare_svd(step: int, weights: Weights) -> None:
    """What both must at least do: the singular values of each layer, once."""
    for weight in weights.values():
        np.linalg.svd(weight.astype(np.float64), compute_uv=False)


def weightwatcher(step: int, weights: Weights) -> None:
    import torch
    import weightwatcher as package

    layers = []
    for weight in weights.values():
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
        layers.append(layer)
    with contextlib.redirect_stdout(io.StringIO()):
        package.WeightWatcher(model=torch.nn.Sequential(*layers)).analyze(randomize=True, mp_fit=True, plot=False)


def layer(shape: tuple[int, int], threads: int, with_svd: bool) -> None:
    """Print a line about one layer: ours and its peak of memory, then the bare algebra."""
    from grokscope.analysis.measure import measure
    from grokscope.analysis.spectra_layout import Parameters
    from grokscope.runfile import LayerSpec
    from grokscope.spectra.null import null_for

    null_for(*shape)
    measure(np.eye(100) + 1, LayerSpec("warm", (100, 100)), 0, Parameters())  # what is imported and drawn once
    weight = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    weight += np.float32(2 * (shape[0] * shape[1]) ** -0.25)
    wall, start = time.perf_counter(), time.process_time()
    measured = measure(weight, LayerSpec("layer", shape), 0, Parameters(), threads)
    ours, wall = time.process_time() - start, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    matrix = weight.astype(np.float64)
    gram = timed(lambda: matrix @ matrix.T)
    square = matrix @ matrix.T
    both = gram + timed(lambda: np.linalg.eigvalsh(square))
    svd = timed(lambda: np.linalg.svd(matrix, compute_uv=False)) if with_svd else float("nan")
    told = f"{shape[0]}x{shape[1]}"
    print(
        f"{told:>12}{measured.permutations:>4}{measured.num_traps:>6.0f}{ours:>9.2f}{wall:>9.2f}"
        f"{ours / gram:>9.1f}{ours / both:>9.1f}{ours / svd:>9.1f}{peak:>9.2f}",
        flush=True,
    )


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def layers(shapes: list[str], threads: int) -> None:
    heads = ("layer", "K", "traps", "s", "wall s", "x Gram", "x G.+eig", "x SVD", "peak GB")
    print("".join(f"{head:>{width}}" for head, width in zip(heads, (12, 4, 6, *[9] * 6), strict=True)), flush=True)
    for shape in shapes:
        command = [sys.executable, __file__, "--one", shape, "--threads", str(threads)]
        subprocess.run(command, check=True)


def model(count: int) -> None:
    """Time `grokscope analyze` on a model of so many layers."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        names = [f"blocks.{number}.weight" for number in range(count)]
        save_file({name: rng.standard_normal((768, 768), dtype=np.float32) for name in names}, path)
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "grokscope", "analyze", str(path), "--jobs", "2"]
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    wall = time.perf_counter() - start
    print(f"{count} layers of 768x768, 2 processes: {wall:.1f} s, {processor:.1f} s of processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--checkpoints", type=int, default=9)
    parser.add_argument("--weightwatcher-checkpoints", type=int, default=3)
    parser.add_argument("--run-length", type=int, default=141)
    parser.add_argument("--layers", nargs="+", metavar="ROWSxCOLUMNS")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=int, metavar="LAYERS")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if arguments.one:
        rows, columns = map(int, arguments.one.split("x"))
        layer((rows, columns), arguments.threads, with_svd=rows < 3000)
    elif arguments.layers:
        layers(arguments.layers, arguments.threads)
    elif arguments.model:
        model(arguments.model)
    else:
        of_checkpoints(arguments)


def of_checkpoints(arguments: argparse.Namespace) -> None:
    chosen = checkpoints(arguments.folder, arguments.checkpoints)
    few = checkpoints(arguments.folder, arguments.weightwatcher_checkpoints)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        once = seconds(grokscope, chosen[:1])  # imports and scrambles: paid once
        ours = seconds(grokscope, chosen)
    bare = min(seconds(bare_svd, chosen) for _ in range(3))
    seconds(weightwatcher, few[:1])
    theirs = seconds(weightwatcher, few)
    ours_again = seconds(grokscope, chosen)  # once more after WeightWatcher: the machine may have become busier
    report(once, max(ours, ours_again), bare, theirs, arguments.run_length)


def report(once: float, ours: float, bare: float, theirs: float, length: int) -> None:
    print(f"{'':<34}{'ms a checkpoint':>16}{'x bare SVD':>12}{'run of ' + str(length):>14}")
    for name, value, extra in (
        ("bare singular values, no permutation", bare, 0.0),
        ("grokscope, 20 permutations", ours, 0.0),
        ("  with imports and first use", ours, once - ours),
        ("WeightWatcher, 1 permutation", theirs, 0.0),
    ):
        total = value * length + extra
        print(f"{name:<38}{1e3 * value:>12.1f}{value / bare:>12.1f}{total:>12.1f} s")
    print(f"\nWeightWatcher/grokscope: {theirs / ours:.1f} (wanted: 20), ", end="")
    print(f"with imports and first use {theirs * length / (ours * length + once - ours):.1f}")


if __name__ == "__main__":
    main()
