"""How often the KS and the trap test cry wolf on pure noise: fresh Gaussian matrices, naive beside calibrated.

python benchmarks/spectra_size.py [--draws 2000]
"""

from __future__ import annotations

import argparse

import numpy as np

from grokscope.spectra import kolmogorov
from grokscope.spectra.esd import BULK, eigenvalues
from grokscope.spectra.null import null_for
from grokscope.spectra.randomised import bulk_edge

SHAPES = [(784, 200), (200, 200), (200, 10)]


def size(shape: tuple[int, int], draws: int, seed: int) -> tuple[float, float, float]:
    """Rates of: naive p < .05, calibrated p < .05, at least one trap; over dense matrices."""
    rng = np.random.default_rng([seed, *shape])
    null = null_for(*shape)
    outcomes = []
    for _ in range(draws):
        esd = eigenvalues(rng.standard_normal(shape), BULK)
        distance = kolmogorov.distance(esd, *shape)
        naive = kolmogorov.naive_p(distance, shape[1])
        outcomes.append((naive < 0.05, null.distance_p(distance) < 0.05, bulk_edge(esd, *shape, null)[2] > 0))
    naive_rate, calibrated_rate, trap_rate = np.mean(outcomes, axis=0)
    return float(naive_rate), float(calibrated_rate), float(trap_rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{arguments.draws} Gaussian matrices of each shape; wanted: KS 3.5-6.5 %, traps at most 0.5 %")
    print(f"{'shape':>10}  {'naive p<.05':>11}  {'calibrated p<.05':>16}  {'false trap':>10}")
    for shape in SHAPES:
        naive, calibrated, trap = size(shape, arguments.draws, arguments.seed)
        print(f"{shape[0]}x{shape[1]:<6}  {naive:>11.2%}  {calibrated:>16.2%}  {trap:>10.2%}")


if __name__ == "__main__":
    main()
