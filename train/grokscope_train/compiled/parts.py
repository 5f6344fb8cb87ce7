"""Parts of the steps' buffers, and a thread's share of them."""

from __future__ import annotations

from typing import Any

from grokscope_train.compiled.elementwise import update
from grokscope_train.compiled.gate import wait_for_all
from grokscope_train.compiled.jit import Array, compiled
from grokscope_train.compiled.product import product


@compiled
def weight_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's weight as it lies in a flat buffer: [in, out], but of the first layer [out, in]."""
    inputs, outputs = plan.widths[layer], plan.widths[layer + 1]
    if layer == 0:
        inputs, outputs = outputs, inputs
    return flat[plan.weight_start[layer] : plan.weight_start[layer] + inputs * outputs].reshape(inputs, outputs)


@compiled
def bias_of(plan: Any, flat: Array, layer: int) -> Array:
    """Return a layer's bias [out] in a flat buffer."""
    return flat[plan.bias_start[layer] : plan.bias_start[layer] + plan.widths[layer + 1]]


@compiled
def units_of(plan: Any, buffer: Array, layer: int, batch: int) -> Array:
    """Return the [batch, width] part of a buffer that belongs to a layer's outputs."""
    width = plan.widths[layer + 1]
    start = plan.unit_start[layer] * plan.batch
    return buffer[start : start + batch * width].reshape(batch, width)


@compiled
def share_of(count: int, thread: int, threads: int, multiple: int) -> Any:
    """Return which part first ≤ i < last of `count` things is a thread's; parts begin at multiples of a number."""
    first, last = count * thread // threads // multiple * multiple, count
    if thread + 1 < threads:
        last = count * (thread + 1) // threads // multiple * multiple
    return first, last


@compiled
def own_units(plan: Any, work: Any, layer: int, thread: int) -> Any:
    """Return which units first ≤ u < last of a layer are a thread's: of the first, a share of those awake."""
    if layer == 0:
        return work.first_unit[thread], work.first_unit[thread + 1]
    return share_of(plan.widths[layer + 1], thread, plan.threads, 1)


@compiled
def multiply_shares(plan: Any, work: Any, a: Array, b: Array, out: Array, thread: int) -> None:
    """Put aᵀ @ b into `out`, a share of its rows by each thread.

    BLAS rounds a row by where its product is cut, and so that never follows which units rest; while some do, a
    thread's own units may lie in another's share, and all wait.
    """
    first, last = share_of(len(out), thread, plan.threads, 1)
    product(plan.gemm, a[:, first:last], True, b, False, out[first:last])
    if work.num_awake[0] < plan.widths[1]:
        wait_for_all(work.gate, plan.threads)


@compiled
def update_stretch(plan: Any, work: Any, factors: Any, first: int, last: int) -> None:
    """Move parameters first ≤ p < last of the flat buffer by their gradient in it."""
    update(
        plan.optimizer, factors, work.gradient[first:last],
        work.parameters[first:last], work.first[first:last], work.second[first:last],
    )  # fmt: skip
