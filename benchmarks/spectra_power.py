"""What the tests find: heavy tails by the KS test of one permutation and of twenty, planted traps beside
WeightWatcher's count, and whether each cause is named right.

python benchmarks/spectra_power.py [--draws 20] [--ks-draws 200] [--cause-draws 200] [--no-weightwatcher]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import analyze_layer, randomised
from grokscope.spectra.null import null_for
from grokscope.spectra.permutations import Permutations, seed_key
from grokscope.spectra.traps import spike_threshold

Array = NDArray[np.float64]

PLANTED = [
    ((784, 200), (1e4, 3, 3, 3)),
    ((784, 200), (1e4, 100, 100, 30, 30, 10, 10, 3, 3)),
    ((200, 200), (1e3, 3, 3, 3)),
    ((200, 10), (3.0,)),
]


PERMUTATIONS = 20
SHAPES = ((200, 200), (784, 200))
HEAVY = ("normal", "t5", "laplace")


def entries(name: str, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Independent entries of one of the laws in HEAVY."""
    if name == "t5":
        return rng.standard_t(5, shape)
    return rng.laplace(size=shape) if name == "laplace" else rng.standard_normal(shape)


def rejected(name: str, shape: tuple[int, int], draws: int) -> tuple[float, float]:
    """Shares with calibrated p < .05: of the first permutation alone, and of the mean of all."""
    rng, null = np.random.default_rng([*shape, HEAVY.index(name)]), null_for(*shape)
    p_values = []
    for step in range(draws):
        shuffled = Permutations(entries(name, rng, shape), seed_key(0, step, "fc"))
        distances = randomised.distances(randomised.randomise(shuffled, PERMUTATIONS, null), *shape, 0.0)
        mean = float(np.mean(distances))
        p_values.append((null.distance_p(distances[0]), null.distance_p(mean, PERMUTATIONS)))
    one, all_of_them = np.mean(np.array(p_values) < 0.05, axis=0)
    return float(one), float(all_of_them)


def ks_power(draws: int) -> None:
    print(f"Calibrated KS test, {draws} matrices: share with p < .05 (normal entries: its size)")
    print(f"{'shape':>8}  {'entries':<8}  {'1 permutation':>13}  {f'mean of {PERMUTATIONS}':>10}")
    for shape in SHAPES:
        for name in HEAVY:
            one, all_of_them = rejected(name, shape, draws)
            print(f"{shape[0]}x{shape[1]:<4}  {name:<8}  {one:>13.2f}  {all_of_them:>10.2f}", flush=True)
    print()


def strength(ratio: float, shape: tuple[int, int]) -> float:
    """The entry that makes a trap at λ = ratio·λ₊ in noise of unit spread: (θ² + N)(θ² + M)/θ² = ratio·λ₊."""
    long, short = shape
    half = (ratio * (np.sqrt(long) + np.sqrt(short)) ** 2 - long - short) / 2
    return float(np.sqrt(half + np.sqrt(half**2 - long * short)))


def planted(shape: tuple[int, int], ratios: tuple[float, ...], rng: np.random.Generator) -> Array:
    """Gaussian noise with one large entry, in a row and column of its own, for each trap."""
    matrix = rng.standard_normal(shape)
    rows = rng.choice(shape[0], len(ratios), replace=False)
    columns = rng.choice(shape[1], len(ratios), replace=False)
    matrix[rows, columns] = [strength(ratio, shape) for ratio in ratios]
    return matrix


def weightwatcher_traps(matrix: Array) -> int:
    """`num_traps` of WeightWatcher's own analyze(randomize=True, mp_fit=True) on one linear layer."""
    import torch
    import weightwatcher

    layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix))
    model = torch.nn.Sequential(layer)
    with contextlib.redirect_stdout(io.StringIO()):
        details = weightwatcher.WeightWatcher(model=model).analyze(randomize=True, mp_fit=True, plot=False)
    return int(details["num_traps"].iloc[0])


def recall(draws: int, with_weightwatcher: bool) -> None:
    print(f"Planted single entries, {draws} draws: mean number of traps found")
    print(f"{'shape':>8}  {'planted (λ/λ₊)':<34} {'of':>2}  {'grokscope':>14}  {'WeightWatcher':>13}")
    for number, (shape, ratios) in enumerate(PLANTED):
        rng = np.random.default_rng([number, 3])
        ours, theirs = [], []
        for draw in range(draws):
            matrix = planted(shape, ratios, rng)
            ours.append(analyze_layer(matrix, "fc", step=draw).num_traps)
            if with_weightwatcher:
                theirs.append(weightwatcher_traps(matrix))
        told = f"{np.mean(theirs):.2f}" if theirs else "not run"
        names = ", ".join(f"{ratio:g}" for ratio in ratios)
        found = f"{np.mean(ours):.2f} ({min(ours):g}-{max(ours):g})"
        print(f"{shape[0]}x{shape[1]:<4}  {names:<34} {len(ratios):>2}  {found:>14}  {told:>13}")


def with_cause(shape: tuple[int, int], cause: str, factor: float, rng: np.random.Generator) -> Array:
    """Gaussian noise with a mean shift, a large entry, or both, at `factor` times the threshold."""
    matrix = rng.standard_normal(shape)
    theta = factor * spike_threshold(*shape, 1.0)
    if "mean" in cause:
        matrix += theta / np.sqrt(matrix.size) - matrix.mean()
    if "entries" in cause:
        matrix[rng.integers(shape[0]), rng.integers(shape[1])] = theta
    return matrix


def cause_rates(shape: tuple[int, int], cause: str, factor: float, draws: int) -> tuple[float, float]:
    """(share of draws whose traps name exactly the planted causes, median |predicted/λ − 1|)."""
    rng = np.random.default_rng([*shape, draws, len(cause)])
    right, errors = 0, []
    for draw in range(draws):
        spectrum = analyze_layer(with_cause(shape, cause, factor, rng), "fc", step=draw)
        named = {part for trap in spectrum.traps for part in trap.cause.split("+")}
        right += named == set(cause.split("+"))
        errors += [abs(trap.predicted / trap.eigenvalue - 1) for trap in spectrum.traps]
    return right / draws, float(np.nanmedian(errors)) if errors else float("nan")


def causes(draws: int) -> None:
    print(f"\nPlanted causes, {draws} draws: share in which the traps name exactly what was planted")
    print(f"{'shape':>8}  {'cause':<13} {'x threshold':>11}  {'named right':>11}  {'|λ predicted/λ - 1|':>19}")
    for shape in ((784, 200), (200, 200), (200, 10)):
        for cause in ("mean", "entries", "mean+entries"):
            for factor in (1.5, 3.0) if shape[1] == 10 else (1.5,):
                rate, error = cause_rates(shape, cause, factor, draws)
                print(f"{shape[0]}x{shape[1]:<4}  {cause:<13} {factor:>11g}  {rate:>11.1%}  {error:>19.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--ks-draws", type=int, default=200)
    parser.add_argument("--cause-draws", type=int, default=200)
    parser.add_argument("--no-weightwatcher", dest="weightwatcher", action="store_false")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    ks_power(arguments.ks_draws)
    recall(arguments.draws, arguments.weightwatcher)
    causes(arguments.cause_draws)


if __name__ == "__main__":
    main()
