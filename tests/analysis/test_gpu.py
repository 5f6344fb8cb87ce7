"""Large layers on another device: the same numbers as LAPACK's, and LAPACK wherever there is no GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from grokscope.analysis import gpu  # noqa: E402 (needs torch)
from grokscope.analysis.gpu import TorchBackend, backend_for  # noqa: E402 (needs torch)
from grokscope.spectra import analyze_layer  # noqa: E402
from grokscope.spectra.esd import LAPACK  # noqa: E402

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
@pytest.mark.parametrize("degrees", [3, 100])
def test_the_torch_backend_measures_what_lapack_measures(device, shape, degrees):
    weight = np.random.default_rng(0).standard_t(degrees, shape)
    ours = analyze_layer(weight, "fc", step=0, permutations=5)
    theirs = analyze_layer(weight, "fc", step=0, permutations=5, backend=TorchBackend(device))
    assert theirs.esd == pytest.approx(ours.esd, rel=1e-8)
    assert theirs.randomized_esd == pytest.approx(ours.randomized_esd, rel=1e-8)
    assert (theirs.num_traps_min, theirs.num_traps, theirs.num_traps_max) == (
        ours.num_traps_min,
        ours.num_traps,
        ours.num_traps_max,
    )
    assert [trap.cause for trap in theirs.traps] == [trap.cause for trap in ours.traps]


def test_small_layers_and_machines_without_a_gpu_use_lapack(monkeypatch):
    assert backend_for((200, 784)) is LAPACK
    assert backend_for((5000,)) is LAPACK
    monkeypatch.setattr(gpu, "DRIVERS", (os.devnull,))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert backend_for((4096, 11008)) is LAPACK
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert isinstance(backend_for((4096, 11008)), TorchBackend)
    assert isinstance(backend_for((2048, 512, 3, 3)), TorchBackend)
    monkeypatch.setattr(gpu, "DRIVERS", (f"{os.devnull}/none",))
    assert backend_for((4096, 11008)) is LAPACK


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="drivers are looked for on Linux alone")
def test_without_a_driver_torch_is_not_loaded():
    code = (
        "import sys; from grokscope.analysis import gpu; gpu.DRIVERS = ();"
        "gpu.backend_for((4096, 11008)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
