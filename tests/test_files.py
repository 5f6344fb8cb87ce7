"""Results are written whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from grokscope.errors import StorageError
from grokscope.files import cache_folder, write_result


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


def test_a_link_at_the_unfinished_result_is_not_followed(tmp_path: Path) -> None:
    path, precious = tmp_path / "report.html", tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / f".grokscope-{os.getpid()}-{threading.get_ident()}.part").symlink_to(precious)
    write_result(path, "result")
    assert (path.is_symlink(), path.read_text(), precious.read_text()) == (False, "result", "precious")


def test_threads_that_write_at_once_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    texts = {str(number): str(number) * 9999 for number in range(100)}
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: write_result(tmp_path / name, texts[name]), texts))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == texts


def test_the_cache_folder_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", f"{os.sep}somewhere")
    assert cache_folder() == Path(os.sep, "somewhere", "grokscope")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "grokscope"
