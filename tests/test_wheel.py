"""The wheel in an empty environment without torch: it says its version, draws the app and plots."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.report.test_page import write_run


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment that holds the wheel and what it asks for, nothing else.

    What it asks for is linked from this environment, so that no registry is needed.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    _pip(*build)
    (wheel,) = folder.glob("grokscope-*.whl")
    venv.create(folder / "venv", with_pip=False)
    commands = folder / "venv" / "bin"
    _pip("--python", str(commands / "python"), "install", "--no-deps", "--no-index", str(wheel))
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (asked,) = packages.glob("grokscope-*.dist-info")
    for found in _closure(Distribution.at(asked)):
        _link(found, packages)
    return commands


def _pip(*arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def _closure(wheel: Distribution) -> list[Distribution]:
    """What a distribution requires without extras, and what that requires, as installed here."""
    found: dict[str, Distribution] = {}
    todo = [(wheel, {""})]
    while todo:
        one, extras = todo.pop()
        for asked in map(Requirement, one.requires or ()):
            wanted = asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras)
            if wanted and asked.name not in found:
                found[asked.name] = distribution(asked.name)
                assert asked.specifier.contains(found[asked.name].version), asked
                todo.append((found[asked.name], asked.extras or {""}))
    return list(found.values())


def _link(found: Distribution, packages: Path) -> None:
    """Link everything that a distribution has directly in its site-packages."""
    tops = {Path(str(file)).parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(found.locate_file(top))))


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
    assert (paper.returncode, "pip install '.[paper]'" in paper.stderr) == (2, True)
    demo = grokscope("demo", "there")
    assert (demo.returncode, "pip install '.[train]'" in demo.stderr) == (2, True)
    for name in ("torch", "matplotlib", "pandas", "weightwatcher"):
        probe = [str(installed / "python"), "-c", f"import {name}"]
        assert subprocess.run(probe, capture_output=True).returncode == 1


def test_the_wheel_brings_the_man_page(installed: Path) -> None:
    page = installed.parent / "share" / "man" / "man1" / "grokscope.1"
    assert page.read_text(encoding="utf-8") == (ROOT / "docs" / "grokscope.1").read_text(encoding="utf-8")
