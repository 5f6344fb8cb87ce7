"""One task of an analysis: one layer at one checkpoint, measured the same on any worker."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grokscope.analysis.spectra_layout import Parameters
from grokscope.runfile import LayerSpec
from grokscope.spectra import LayerSpectrum

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Task = tuple[int, LayerSpec]
Result = tuple[int, LayerSpectrum]


def measure(
    weight: NDArray[np.generic], layer: LayerSpec, step: int, parameters: Parameters, threads: int = 1
) -> LayerSpectrum:
    """Measure one layer, a large one on a GPU where there is one, always the same bytes: BLAS has one thread.

    `threads` of our own share it.
    """
    from grokscope.analysis.gpu import backend_for
    from grokscope.spectra import analyze_layer

    with _libraries().limit(limits=1):
        return analyze_layer(
            weight,
            layer.name,
            kind=layer.kind,
            step=step,
            seed=parameters.seed,
            permutations=parameters.permutations,
            null_draws=parameters.null_draws,
            backend=backend_for(weight.shape),
            threads=threads,
        )


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """The BLAS libraries of this process, looked for once: that takes longer than to measure a small layer."""
    import scipy.linalg  # noqa: F401 (brings its own BLAS: loaded later, it would escape the limit)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
