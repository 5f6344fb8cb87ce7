"""The phase by the papers' words, for comparison: an exponent below 2 and correlation traps tell the collapse.

Source: "Grokking and Generalization Collapse: Insights from HTSR theory". No guard on the tail of a fit, no cause
of a trap, no history: as published. `inferred` has our rule.
"""

from __future__ import annotations

import numpy as np

from grokscope.phases.evidence import Evidence
from grokscope.phases.inferred import Inferred
from grokscope.spectra.power_law import OVER_TRAINED, UNDER_TRAINED


def infer_as_published(evidence: Evidence) -> Inferred:
    """Tell the phase at the last checkpoint: both signs are a collapse, one is undecided.

    With neither, *grokking* from where some layer's exponent is 6 or less, *pre-grokking* before.
    """
    measured = [layer for layer in evidence.layers if layer.known and np.isfinite(layer.alpha[-1])]
    if not measured:
        return Inferred("unknown", ("no layer is measured",))
    over = [f"{layer.name} {layer.alpha[-1]:.2f}" for layer in measured if layer.alpha[-1] < OVER_TRAINED]
    traps = [f"{layer.name} {layer.num_traps[-1]:.0f}" for layer in measured if layer.num_traps[-1] > 0]
    named = (("alpha below 2", over), ("traps", traps))
    signs = tuple(f"{sign}: {', '.join(found)}" for sign, found in named if found)
    if signs:
        return Inferred("anti-grokking" if len(signs) == 2 else "undecided", signs)
    trained = [f"{layer.name} {layer.alpha[-1]:.2f}" for layer in measured if layer.alpha[-1] <= UNDER_TRAINED]
    if trained:
        return Inferred("grokking", (f"alpha between 2 and 6, no trap: {', '.join(trained)}",))
    return Inferred("pre-grokking", ("every alpha is beyond 6",))
