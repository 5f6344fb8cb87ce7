"""Spectra are those of a content: a change is seen whatever the times say, a copy or a touch costs nothing."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from grokscope.analysis import Parameters, Spectra, analyze
from grokscope.analysis.spectra_layout import beside, in_cache
from grokscope.trajectory import Checkpoints, Opening, content_crc, open_trajectory
from grokscope.trajectory.importing import write_run
from tests.trajectory.test_layouts import safetensors

QUICK = Parameters(permutations=2, null_draws=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints, measured, whose files are as old as a user's."""
    folder = tmp_path / "in"
    for step in (1, 2):
        safetensors(folder / f"step{step}.safetensors", step)
    analyze(open_trajectory(folder), parameters=QUICK)
    assert Spectra(open_trajectory(folder)).done.all()
    return folder


def changed(path: Path) -> None:
    """Change one bit of the weights in place, and restore the times of the file."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_changed_file_with_its_old_times_is_not_measured(folder: Path) -> None:
    opened = open_trajectory(folder)
    spectra = Spectra(opened)
    changed(folder / "step2.safetensors")
    assert Spectra(open_trajectory(folder)).done[:, 0].tolist() == [True, False]
    opened.refresh()
    spectra.refresh()
    assert spectra.done[:, 0].tolist() == [True, False]
    assert analyze(open_trajectory(folder)).done.all()


def test_a_file_that_is_only_touched_or_copied_in_place_stays_measured(folder: Path) -> None:
    path = folder / "step2.safetensors"
    path.touch()
    assert Spectra(open_trajectory(folder)).done.all()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    assert Spectra(open_trajectory(folder)).done.all()


@pytest.mark.parametrize("words", [("--match", "step*"), ()], ids=["by a pattern", "its import"])
def test_spectra_stay_where_another_reading_has_the_same_place(
    folder: Path, grokscope_here: Callable[..., Result], words: tuple[str, ...]
) -> None:
    before, path = beside(folder).read_bytes(), folder
    if not words:
        path = folder.with_suffix(".h5")
        write_run(Checkpoints(folder), path)
    done = grokscope_here("analyze", path, *words, "-j", "1", "--permutations", "2", "--null-draws", "100")
    assert f"{beside(folder).name} keeps the spectra of another run or reading" in done.stderr
    spectra = Spectra(open_trajectory(path, Opening(match=words[1] if words else None)))
    assert spectra.path == in_cache(spectra.run.uuid)
    assert spectra.done.all()
    assert beside(folder).read_bytes() == before


def test_a_content_is_read_once_and_again_only_when_the_file_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    first = content_crc.content_crc32([path])
    stamp = content_crc.stamp_of(path)
    assert content_crc.kept_crc32(path, stamp) is None, "written a moment ago, it may change within the same tick"
    monkeypatch.setattr(time, "time_ns", lambda: path.stat().st_ctime_ns + 3 * content_crc.TICK_NS)
    assert content_crc.content_crc32([path]) == first
    assert content_crc.kept_crc32(path, stamp) == zlib.crc32(path.read_bytes())
    changed(path)
    assert content_crc.content_crc32([path]) != first


def test_a_first_look_reads_no_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without spectra there is nothing to compare with: a folder of large models opens at once."""
    safetensors(tmp_path / "step1.safetensors", 1)
    monkeypatch.setattr(content_crc, "_crc32", lambda file: pytest.fail(f"{file} is read"))
    assert not Spectra(open_trajectory(tmp_path)).done.any()
    assert np.array_equal(open_trajectory(tmp_path).steps, [1])
