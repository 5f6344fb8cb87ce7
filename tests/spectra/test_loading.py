"""The spectral core is light to import: what nobody has asked for is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_the_path_of_the_viewer_loads_neither_scipy_nor_torch():
    code = (
        "import sys; from grokscope.spectra import ANALYSIS_VERSION, LayerSpectrum, Trap, analyze_layer;"
        "from grokscope.spectra import marchenko_pastur, power_law;"
        "marchenko_pastur.density([1.0], 20, 10); marchenko_pastur.edges(20, 10);"
        "power_law.distance_curve(list(range(1, 50))); power_law.tail_density([3.0], 2.0, 1.0);"
        "print([name for name in ('scipy', 'torch', 'weightwatcher', 'sklearn', 'joblib', 'h5py') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_itself_loads_nothing_until_asked():
    code = "import sys, grokscope.spectra; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_public_name_is_an_attribute_error():
    import grokscope.spectra

    with pytest.raises(AttributeError, match="nonsense"):
        _ = grokscope.spectra.nonsense
