"""The phase as the weights alone tell it, up to a checkpoint and without hindsight, with reasons in words.

1. *Structure*: eigenvalues of a layer's W beyond the edge of noise, at the scale of its own shuffled entries. A
   network that has learned nothing but its training images, from a large random initialisation, has none for
   long: *pre-grokking*. A shifted mean and large entries make them as well, and are not told from learning: in
   networks that do learn such a mean is at times all there is at first. From an initialisation of ordinary size
   they come with memorising at once, where labels are known to be shuffled there is nothing but memorising, and
   with cross-entropy a network generalises without any: *undecided*. What is learned so is correlation. That it
   generalises is no more than likely: long training on shuffled labels brings it from a large initialisation as
   well, and no measure of the weights that we know tells the two apart.
2. *Strain*: where there is structure, the network has generalised (*grokking*) until it is strained (*anti-
   grokking*): steep for the few gates of its first layer that are still open. See `strain` for what that is, and
   below for the thresholds. Where the loss is not squared error, outputs may grow for ever and steepness with
   them: the *gates* alone decide, see `gates`.
3. What cannot be told is *unknown*: one checkpoint alone has no history, and a network whose gates are not defined
   can be told neither healthy nor collapsed.

An exponent below 2, traps by large entries and one dominating direction come with weight decay and without a
collapse, and a collapse without them: they are named, and decide nothing. So are gates that have closed and a
capacity that has grown: such a network has mostly collapsed, but on runs that they were not chosen on both told
less than strain. `by="gates"` and `by="capacity"` are those rules, `published` has the rule of the papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grokscope.numbers import counted, number, percent_sign
from grokscope.phases.evidence import Evidence, LayerEvidence
from grokscope.phases.signs import listed, old_signs, passed_over, structure
from grokscope.phases.strain import steepness, strain, times

MIN_EIGENVALUES = 50  # a layer with fewer says little: its edge is blurred
LARGE_SCALE = 2.0  # of the first layer at the first checkpoint; no usual initialisation is beyond He's √2
SCORED_SCALE = 4.0  # from a smaller one steepness grows more: of 8 times PyTorch's default, 4.6, strain was scored
GROWN, GROWING = 1.0, 0.5  # doublings of the capacity: twice its least so far, and halfway there
CLOSED, NARROW = 4.0, 3.0  # halvings: an input lights a sixteenth, an eighth of the units; random weights have 1
STRAINED, TENSE = 6.0, 5.0  # doublings: for each open gate 64 and 32 times as steep as at first with all open
BIAS_HALVING = 0.1  # of a row's norm: what the second layer's biases count for
CONFIRM = 2  # checkpoints in a row that a collapse has to last

RULE = (
    f"Structure is an eigenvalue of W beyond the edge of noise, in a layer of {MIN_EIGENVALUES} or more; one that "
    "a shifted mean or large entries make counts as well. Without structure: pre-grokking where squared error is "
    "the loss, undecided elsewhere. With it strain decides: the network's "
    "steepness (the product of its layers' largest singular values, over that of the first checkpoint) over the "
    f"share of the first layer's units that an input lights. Below {2**TENSE:.0f} is grokking; {2**STRAINED:.0f} "
    f"or more for {CONFIRM} checkpoints in a row is anti-grokking; all else is undecided. Where squared error is "
    f"not the loss, or the first layer began smaller than {SCORED_SCALE:g}, the gates decide: closed for "
    f"{CONFIRM} checkpoints in a row is anti-grokking. Closed is {CLOSED:g} halvings: an input "
    f"lights 1/{2**CLOSED:.0f} of the units, where every {BIAS_HALVING:g} of a row's norm by which the next "
    f"layer's biases are below 0 counts as one halving more; from {NARROW:g} on, or closed at one checkpoint "
    "alone, is undecided. Undecided as well: a first layer that began at an ordinary size, shuffled labels, and "
    "without structure weights that are left out, or a sign named below. Unknown: one checkpoint alone, and gates "
    f"that are not defined. Closed gates, a capacity {2**GROWN:g} times its least so far, α below 2, "
    "traps by large entries and one dominating direction are named, and decide nothing else."
)
"""The rule in words, for whoever asks why."""

ONLY_SQUARED = (
    "only where squared error is the loss does that mean that nothing generalises yet: with cross-entropy "
    "networks did without one; here"
)
GROWTH = {
    "grokking": "the network needs no larger weights than before for its answers",
    "undecided": "the network needs larger weights for the same answers, not by much or not for long",
    "anti-grokking": "the network needs far larger weights for the same answers",
}
STRAIN = {
    "grokking": "the network is not steep for the gates that are open",
    "undecided": "the network is steep for the few gates that are open, not by much or not for long",
    "anti-grokking": "the network is very steep for the few gates that are open",
}
GATES = {
    "grokking": "the first layer's gates are open",
    "undecided": "the first layer's gates are nearly closed, or closed since this checkpoint alone",
    "anti-grokking": "the first layer's gates have closed",
}


Rule = Literal["gates", "capacity", "strain"]


@dataclass(frozen=True)
class Inferred:
    """A label, "undecided" and "unknown" included, and the reasons for it, one short sentence each.

    strain: by how many doublings the network is strained, see `strain`; NaN where that is not known. by_strain:
    whether that is what tells a collapse of this network.
    """

    label: str
    reasons: tuple[str, ...]
    strain: float = field(default=float("nan"), compare=False)
    by_strain: bool = field(default=False, compare=False)


def infer(evidence: Evidence, by: Rule = "strain") -> Inferred:
    """Infer the phase at the last checkpoint of the given history; what decided comes first in the reasons.

    `by` is what tells a collapse of a network with structure.
    """
    strained = strain(evidence)
    now = float(strained[-1]) if len(strained) else float("nan")
    return replace(_labelled(evidence, by), strain=now, by_strain=by == "strain" and _strain_decides(evidence))


def _labelled(evidence: Evidence, by: Rule) -> Inferred:
    if missing := _why_unknown(evidence):
        return Inferred("unknown", (missing,))
    large = [layer for layer in evidence.layers if layer.num_eigenvalues >= MIN_EIGENVALUES]
    if not large:
        return Inferred("undecided", (f"no layer has {MIN_EIGENVALUES} or more eigenvalues",))
    beyond = structure(large)
    seen = tuple(beyond + old_signs(large))
    if not beyond:
        return _without_structure(evidence, large, seen)
    label, reason = _why_undecided(evidence) or RULES[by](evidence)
    return Inferred(label, (reason, *seen, *_closed(evidence), *_capacity(evidence)))


def growth(evidence: Evidence) -> NDArray[np.float64]:
    """Return by how many doublings the capacity is above its least so far, float64 [n]; NaN where not measured.

    NaN as well where the network's units are not known to be gates, or its outputs may grow for ever.
    """
    if evidence.no_gates or evidence.no_bound:
        return np.full(evidence.num_checkpoints, np.nan)
    capacity = evidence.layers[-1].capacity
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log2(capacity / np.fmin.accumulate(capacity)))


def closure(evidence: Evidence) -> NDArray[np.float64]:
    """Return how closed the gates are at every checkpoint, in halvings, float64 [n]; NaN where not measured.

    −log₂ of the share of the first layer's units that an input lights, and one more for every tenth of a row's
    norm by which the second layer's biases are below 0: with weight decay they rise as the first layer's gates
    close, and keep the network working; where they fall as well, it collapses.
    """
    if evidence.no_gates:
        return np.full(evidence.num_checkpoints, np.nan)
    first, second = evidence.layers[:2]
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log2(first.lit) - second.bias_over_norm / BIAS_HALVING)


def _why_unknown(evidence: Evidence) -> str:
    if not any(layer.known for layer in evidence.layers):
        return "no layer is measured"
    large = [layer for layer in evidence.layers if layer.num_eigenvalues >= MIN_EIGENVALUES]
    if large and not any(layer.known for layer in large):
        return f"no layer with {MIN_EIGENVALUES} or more eigenvalues is measured"
    if evidence.num_checkpoints < 2:
        return "one checkpoint alone has no history, so that growth cannot be told from how the network began"
    return ""


def _without_structure(evidence: Evidence, large: Sequence[LayerEvidence], seen: tuple[str, ...]) -> Inferred:
    if unmeasured := [layer.name for layer in large if not layer.known]:
        return Inferred("unknown", (f"not measured here: {listed(unmeasured, len(large))}", *seen))
    quiet = f"no layer of {MIN_EIGENVALUES} or more eigenvalues has one beyond the edge of noise"
    label = "undecided" if seen else "pre-grokking"
    if evidence.left_out:
        are = "is" if evidence.left_out == 1 else "are"
        label, quiet = "undecided", f"{quiet}, but {counted(evidence.left_out, 'weight')} {are} left out"
    elif evidence.no_bound:
        label, quiet = "undecided", f"{quiet}, but {ONLY_SQUARED} {evidence.no_bound}"
    return Inferred(label, (quiet, *seen, *passed_over(evidence.layers, MIN_EIGENVALUES)))


def _why_undecided(evidence: Evidence) -> tuple[str, str] | None:
    """Return what keeps a network that has structure from being told, if anything does."""
    if evidence.no_gates:
        return "unknown", evidence.no_gates
    first, second = evidence.layers[:2]
    if still := [layer.name for layer in (first, second) if layer.live_rows[-1] == 0]:
        names = " and ".join(still)
        return "unknown", f"no unit of {names} has turned since the checkpoint before: none is known to be in use"
    if np.isnan([first.scale[0], first.lit[-1], second.bias_over_norm[-1]]).any():
        return "unknown", f"not measured, here or at the first checkpoint: gates of {first.name}, {second.name}"
    if first.scale[0] < LARGE_SCALE:
        return "undecided", (
            f"{first.name} began at an ordinary size ({first.scale[0]:.2g}, large is {LARGE_SCALE:g} and more), "
            "and from there memorising brings structure as generalising does"
        )
    if evidence.random_labels:
        return "undecided", "labels were shuffled: whatever is learned is memorised, nothing can be generalised"
    return None


def _by_gates(evidence: Evidence) -> tuple[str, str]:
    label = _lasting(closure(evidence), NARROW, CLOSED)
    return label, f"{GATES[label]}: {_gates_in_words(*evidence.layers[:2])}"


def _by_capacity(evidence: Evidence) -> tuple[str, str]:
    grown = growth(evidence)
    if np.isnan(grown[-1]):
        return "unknown", f"its capacity tells nothing, for {evidence.no_bound or 'it is not measured'}"
    label = _lasting(grown, GROWING, GROWN)
    return label, f"{GROWTH[label]}: {_grown_in_words(grown[-1])}"


def _gates_decide(evidence: Evidence) -> bool:
    """Tell whether strain is not known to tell: outputs may grow for ever, or the first weights were smaller."""
    return bool(evidence.no_bound) or bool(evidence.layers[0].scale[0] < SCORED_SCALE)


def _strain_decides(evidence: Evidence) -> bool:
    return not (evidence.no_gates or evidence.random_labels or _gates_decide(evidence))


def _by_strain(evidence: Evidence) -> tuple[str, str]:
    if _gates_decide(evidence):
        return _by_gates(evidence)
    strained = strain(evidence)
    if np.isnan(strained[-1]):
        return "unknown", (
            "its strain is not measured, which takes the first checkpoint as well as this one; "
            "`grokscope analyze` measures all"
        )
    label, first = _lasting(strained, TENSE, STRAINED), evidence.layers[0]
    lit = percent_sign(float(first.lit[-1] * first.live_rows[-1]))
    return label, (
        f"{STRAIN[label]}: {_times(steepness(evidence)[-1])} as steep as at the first checkpoint, and a "
        f"fair-sized bright image lights {lit} of {first.name}'s units; {_times(strained[-1])} in all"
    )


RULES: dict[Rule, Callable[[Evidence], tuple[str, str]]] = {
    "gates": _by_gates,
    "capacity": _by_capacity,
    "strain": _by_strain,
}


def _closed(evidence: Evidence) -> tuple[str, ...]:
    """Name gates that have closed where they are not what decides."""
    if evidence.no_gates or _gates_decide(evidence) or not closure(evidence)[-1] >= CLOSED:
        return ()
    return (f"seen as well: {GATES['anti-grokking']}: {_gates_in_words(*evidence.layers[:2])}",)


def _capacity(evidence: Evidence) -> tuple[str, ...]:
    """Name a capacity that has grown."""
    grown = growth(evidence)[-1]
    return (f"seen as well: {_grown_in_words(grown)}",) if grown >= GROWN else ()


def _lasting(values: NDArray[np.float64], nearly: float, collapsed: float) -> str:
    """Tell a healthy network from a collapsed one; a collapse that has not lasted yet is undecided."""
    lately = values[-CONFIRM:]
    if len(lately) == CONFIRM and np.all(lately >= collapsed):
        return "anti-grokking"
    return "undecided" if values[-1] >= nearly else "grokking"


def _grown_in_words(doublings: float) -> str:
    return f"its capacity is {_times(doublings)} its least so far"


def _times(doublings: float) -> str:
    return f"{number(float(times(doublings)))} times"


def _gates_in_words(first: LayerEvidence, second: LayerEvidence) -> str:
    lit, best, bias = (float(value) for value in (first.lit[-1], np.nanmax(first.lit), second.bias_over_norm[-1]))
    words = (
        f"a fair-sized bright image lights {percent_sign(lit)} of those of {first.name}'s units that still turn, "
        f"{percent_sign(best)} at best"
    )
    if not float(share := f"{bias:+.2f}"):
        return words
    way = "close" if bias < 0 else "open"
    return f"{words}; {second.name}'s biases help to {way} its own ({share} of a row's norm)"
