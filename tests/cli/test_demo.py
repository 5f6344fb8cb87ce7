"""`grokscope demo`: from nothing to a report; a light install says what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def test_a_run_that_is_there_is_reported_and_not_trained_again(
    trained_run: Path, tmp_path: Path, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Its bytes stay; without a terminal the command that opens it is named."""
    run = Path(shutil.copy(trained_run, tmp_path / "digits.h5"))
    before = run.read_bytes()
    done = grokscope_command("demo", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits.h5" in done.stdout
    assert f"open it by: grokscope view {run}" in done.stderr
    assert run.read_bytes() == before


def test_a_light_install_says_what_to_install(tmp_path: Path) -> None:
    """One sentence, exit code 2, and nothing is left behind."""
    folder = tmp_path / "demo"
    code = (
        "import importlib.util as util, sys; found = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'torch' else found(name, *more)\n"
        f"sys.argv = ['grokscope', 'demo', {str(folder)!r}]\n"
        "from grokscope.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "misses torch; `pip install 'grokscope[train]'` brings it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()
