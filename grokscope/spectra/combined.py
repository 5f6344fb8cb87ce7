"""Several p-values of one hypothesis as one: Fisher's method. The mean of p-values is no p-value."""

from __future__ import annotations

import math
from collections.abc import Iterable


def combined_p(p_values: Iterable[float]) -> float:
    """P(χ²₂ₙ ≥ −2 Σ log pᵢ) for n independent p-values in (0, 1]; NaN where there is none or one is NaN.

    With 2n degrees of freedom the tail is e^−h Σ_{k<n} hᵏ/k!, h = −Σ log pᵢ. Source: Fisher, Statistical Methods
    for Research Workers (1932), § 21.1.
    """
    values = list(p_values)
    if not values or any(math.isnan(p) for p in values):
        return math.nan
    if min(values) <= 0:
        return 0.0
    half = -math.fsum(math.log(p) for p in values)
    term = total = 1.0
    for k in range(1, len(values)):
        term *= half / k
        total += term
    return min(1.0, math.exp(-half) * total)
