"""A gate where threads wait for one another, for some microseconds, without a lock."""

from __future__ import annotations

from typing import Any

from numba import types

from grokscope_train.compiled.jit import Array, built_in, compiled

ARRIVED, OPENED, ABANDONED = 0, 8, 16  # places in the gate, on cache lines of their own
GATE_LENGTH = 24
SPINS = 2000  # some microseconds; then a waiting thread offers its core to others

offer_core = types.ExternalFunction("sched_yield", types.int32())


@built_in
def atomic_add(typing: Any, array: Any, place: Any, value: Any) -> Any:
    """Add to one element of an int64 array, at once for all threads, and return what was there before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, place, value = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        return builder.atomic_rmw("add", builder.gep(data, [place]), value, "seq_cst")

    return types.int64(array, types.intp, types.int64), emit


@compiled
def wait_for_all(gate: Array, threads: int) -> None:
    """Return when every thread has come here, or when the gate is abandoned.

    `gate` is int64 [GATE_LENGTH], zeros at first, and shared by all threads.
    """
    opened = atomic_add(gate, OPENED, 0)
    if atomic_add(gate, ARRIVED, 1) == threads - 1:
        atomic_add(gate, ARRIVED, -threads)
        atomic_add(gate, OPENED, 1)
        return
    spins = 0
    while atomic_add(gate, OPENED, 0) == opened:
        spins += 1
        if spins > SPINS:
            if atomic_add(gate, ABANDONED, 0):
                return
            offer_core()
