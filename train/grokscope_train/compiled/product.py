"""Matrix products within compiled code: those of the BLAS that scipy brings, called by its address."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import get_cython_function_address

from grokscope_train.compiled.jit import Array, built_in, compiled

ROUTINES = {"float64": "dgemm", "float32": "sgemm"}
ARGUMENTS = 13
NOT_TRANSPOSED, TRANSPOSED = ord("N"), ord("T")


def gemm_address(dtype: str) -> int:
    """Return where BLAS's product for `dtype` lies in memory."""
    address: int = get_cython_function_address("scipy.linalg.cython_blas", ROUTINES[dtype])
    return address


@built_in
def call_gemm(typing: Any, address: Any, arguments: Any) -> Any:
    """Call the BLAS routine at an address with its thirteen pointers."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, pointers = arguments
        pointer = context.get_value_type(types.intp)
        routine = ir.FunctionType(ir.VoidType(), [pointer] * ARGUMENTS)
        values = [builder.extract_value(pointers, i) for i in range(ARGUMENTS)]
        builder.call(builder.inttoptr(address, routine.as_pointer()), values)
        return context.get_dummy_value()

    pointers = types.UniTuple(types.intp, ARGUMENTS)  # type: ignore[no-untyped-call]
    return types.void(types.intp, pointers), emit


@compiled
def product(gemm: int, a: Array, transpose_a: bool, b: Array, transpose_b: bool, out: Array) -> None:
    """Put a @ b into `out`, either transposed first; rows may be apart, the elements of a row may not.

    BLAS counts columns first, and so gets outᵀ = bᵀ @ aᵀ.
    """
    if out.size == 0:
        return
    inner = a.shape[0] if transpose_a else a.shape[1]
    size = out.itemsize
    counts = np.array(
        [out.shape[1], out.shape[0], inner, b.strides[0] // size, a.strides[0] // size, out.strides[0] // size],
        dtype=np.int32,
    )
    letters = np.array(
        [TRANSPOSED if transpose_b else NOT_TRANSPOSED, TRANSPOSED if transpose_a else NOT_TRANSPOSED],
        dtype=np.uint8,
    )
    factors = np.array([1.0, 0.0], dtype=out.dtype)
    letter, count, factor = np.intp(letters.ctypes.data), np.intp(counts.ctypes.data), np.intp(factors.ctypes.data)
    call_gemm(
        gemm,
        (
            letter, letter + 1, count, count + 4, count + 8,
            factor, np.intp(b.ctypes.data), count + 12, np.intp(a.ctypes.data), count + 16,
            factor + size, np.intp(out.ctypes.data), count + 20,
        ),
    )  # fmt: skip
