"""Time per checkpoint beside WeightWatcher's, and as a multiple of the bare singular values. One thread for all.

    python benchmarks/spectra_speed.py [RUN_FOLDER] [--checkpoints 9] [--weightwatcher-checkpoints 3]

RUN_FOLDER holds safetensors checkpoints with fc1, fc2 and fc3; without it, random weights with a drifting mean are
measured. Ours does 20 permutations, WeightWatcher's analyze(randomize=True, mp_fit=True) its one.
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
    """Mean time of a checkpoint."""
    start = time.perf_counter()
    for step, weights in chosen:
        work(step, weights)
    return (time.perf_counter() - start) / len(chosen)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--checkpoints", type=int, default=9)
    parser.add_argument("--weightwatcher-checkpoints", type=int, default=3)
    parser.add_argument("--run-length", type=int, default=141)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
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
