"""Floats that NumPy does not know are widened to exactly the numbers that torch reads in them."""

from __future__ import annotations

import numpy as np
import pytest

from grokscope.importers.tensors import CODES, widened

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", CODES)
def test_every_code_is_the_number_that_torch_reads_in_it(dtype: str) -> None:
    codes = np.arange(65536 if dtype == "bfloat16" else 256).astype(CODES[dtype])
    theirs = torch.from_numpy(codes).view(getattr(torch, dtype)).float().numpy()
    np.testing.assert_array_equal(widened(codes, dtype).astype(np.float32), theirs)
