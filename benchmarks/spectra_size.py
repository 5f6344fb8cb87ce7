"""How often the KS and the trap test cry wolf on pure noise: fresh matrices, naive beside calibrated.

    python benchmarks/spectra_size.py [--draws 200]

Eight shapes whose nulls are not shipped, and Gaussian, uniform and ±1 entries. Each matrix is permuted 20 times;
its calibrated p is that of the mean distance, its naive p that of the permutation that is shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from grokscope.spectra import kolmogorov, measures, randomised
from grokscope.spectra.null import null_for
from grokscope.spectra.permutations import Permutations, seed_key

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]

PERMUTATIONS = 20
SHAPES = [(100, 20), (300, 30), (48, 48), (64, 32), (256, 64), (100, 100), (300, 100), (500, 50)]
ENTRIES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.random(shape) - 0.5,
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}


def size(shape: tuple[int, int], draw: Draw, draws: int, seed: int) -> tuple[float, float, float]:
    """Rates of: naive p < .05, calibrated p < .05, at least one trap in the median permutation."""
    rng, null = np.random.default_rng([seed, *shape]), null_for(*shape)
    outcomes = []
    for step in range(draws):
        matrix = draw(rng, shape)
        light = min(measures.measure(matrix).kurtosis, 0.0)
        result = randomised.randomise(Permutations(matrix, seed_key(0, step, "fc")), PERMUTATIONS, null)
        p = null.distance_p(float(np.mean(randomised.distances(result, *shape, light))), PERMUTATIONS, light)
        naive_p = kolmogorov.naive_p(kolmogorov.distance(result.representative.esd, *shape), min(shape))
        outcomes.append((naive_p < 0.05, p < 0.05, np.median(result.counts) > 0))
    naive, calibrated, trap = np.mean(outcomes, axis=0)
    return float(naive), float(calibrated), float(trap)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    error = np.sqrt(0.05 * 0.95 / arguments.draws)
    print(f"{arguments.draws} matrices of each kind; wanted: KS 3.5-6.5 % (the draws alone: ± {error:.1%})")
    print(f"{'shape':>10}  {'entries':<8}  {'naive p<.05':>11}  {'calibrated p<.05':>16}  {'false trap':>10}")
    for shape in SHAPES:
        for name, draw in ENTRIES.items():
            naive, calibrated, trap = size(shape, draw, arguments.draws, arguments.seed)
            told = f"{shape[0]}x{shape[1]}"
            print(f"{told:>10}  {name:<8}  {naive:>11.2%}  {calibrated:>16.2%}  {trap:>10.2%}", flush=True)


if __name__ == "__main__":
    main()
