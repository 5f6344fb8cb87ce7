"""Results are written whole or not at all."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grokscope.errors import StorageError
from grokscope.files import write_result


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("old", ["the result of yesterday", None])
def test_a_disk_that_takes_half_leaves_what_was_there(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "report.html"
    if old is not None:
        path.write_text(old)
    with small_disk(100), pytest.raises(StorageError, match="cannot be written"):
        write_result(path, "x" * 1000)
    assert [one.read_text() for one in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_text_that_is_no_unicode_is_written_with_its_escapes(tmp_path: Path) -> None:
    write_result(tmp_path / "a.txt", "run\udcff.h5")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.txt", "run\\udcff.h5")]


def test_a_result_takes_the_place_of_the_old_one_with_its_links_and_rights(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_result(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert set(tmp_path.iterdir()) == {real, link}
