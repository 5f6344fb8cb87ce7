"""A run to analyse, in a folder of its own for every test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grokscope.runfile import Run


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Run:
    """A copy of the small trained run."""
    return Run(shutil.copy(trained_run, tmp_path / "run.h5"))
