"""The wheel in an empty environment without torch: it says its version, draws the app and plots."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.report.test_page import write_run


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it asks for, nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    built = subprocess.run(pip, capture_output=True, text=True, timeout=120)
    if built.returncode and "No matching distribution" in built.stderr:
        pytest.skip("no package registry to build with")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("grokscope-*.whl")
    venv.create(folder / "venv", with_pip=True)
    commands = folder / "venv" / "bin"
    install = [str(commands / "python"), "-m", "pip", "install", "--quiet", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return commands


def test_the_wheel_works_without_torch(installed: Path, tmp_path: Path) -> None:
    """From a folder that is no checkout; the demo says in one sentence what it misses."""
    run = write_run(tmp_path / "a.h5", 0, 0.0)

    def grokscope(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / "grokscope"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert grokscope("--version").stdout.startswith("grokscope ")
    shot = grokscope("view", str(run), "--screenshot", "app.svg")
    assert shot.returncode == 0, shot.stderr
    assert "<svg" in (tmp_path / "app.svg").read_text(encoding="utf-8")
    plotted = grokscope("plot", str(run), "esd")
    assert "ESD fc1 · a.h5 step 10,000" in plotted.stdout, plotted.stderr
    paper = grokscope("plot", str(run), "esd", "-o", "esd.svg")
    assert (paper.returncode, "pip install 'grokscope[paper]'" in paper.stderr) == (2, True)
    demo = grokscope("demo", "there")
    assert (demo.returncode, "pip install 'grokscope[train]'" in demo.stderr) == (2, True)
    probe = [str(installed / "python"), "-c", "import torch"]
    assert subprocess.run(probe, capture_output=True).returncode == 1
