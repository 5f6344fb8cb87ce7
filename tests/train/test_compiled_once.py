"""The training step is compiled once on a machine, by one of those that start at once, whatever befalls it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grokscope_train.compiled import jit

from tests.train.forked import Forked
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder in which nothing is compiled."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jit.code_folder.cache_clear()
    folder = jit.code_folder()
    assert folder is not None
    yield folder
    jit.code_folder.cache_clear()


def compile_as_numba_does(folder: Path, meanwhile: Callable[[], object]) -> int:
    """Compile what is not there; a line in `log` for each time."""
    with jit.compiled_once("float64"):
        if not (folder / "code").exists():
            with (folder / "log").open("a") as log:
                log.write("compiled\n")
            meanwhile()
            (folder / "code").touch()
    return 0


def test_one_of_several_that_start_at_once_compiles_and_the_others_wait(folder: Path) -> None:
    others = [Forked(lambda: compile_as_numba_does(folder, lambda: time.sleep(0.3))) for _ in range(3)]
    assert [other.wait() for other in others] == [0, 0, 0]
    assert (folder / "log").read_text() == "compiled\n"


def test_who_is_killed_while_it_compiles_lets_the_next_in(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = Forked(lambda: compile_as_numba_does(folder, lambda: time.sleep(60)))
    wait_until((folder / "log").exists)
    second = Forked(lambda: compile_as_numba_does(folder, lambda: None))
    os.kill(first.pid, signal.SIGKILL)
    assert (first.wait(), second.wait()) == (-signal.SIGKILL, 0)
    assert (folder / "code").exists()
    assert capfd.readouterr().err.count("compiling the training step for this processor, once") == 2
    compile_as_numba_does(folder, lambda: None)
    assert capfd.readouterr().err == "", "it is there"


def test_a_failure_to_compile_leaves_it_to_the_next(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), jit.compiled_once("float64"):
        _ = 1 / 0
    assert not (folder / "float64.done").exists()
    compile_as_numba_does(folder, lambda: None)
    assert (folder / "float64.done").exists()


def test_nobody_waits_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "PATIENCE", 0.1)
    with (folder / "float64.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        compile_as_numba_does(folder, lambda: None)
    assert (folder / "code").exists()


@pytest.mark.parametrize("in_the_way", [Path.mkdir, lambda path: path.symlink_to("/dev/zero"), os.mkfifo])
def test_what_is_no_lock_file_is_no_hindrance(folder: Path, in_the_way: Callable[[Path], object]) -> None:
    in_the_way(folder / "float64.lock")
    compile_as_numba_does(folder, lambda: None)
    assert (folder / "code").exists()


def test_where_no_cache_can_be_it_is_said_that_every_start_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    jit.code_folder.cache_clear()
    compile_as_numba_does(folder, lambda: None)
    assert "at each start, for the cache folder cannot be written" in capsys.readouterr().err


@pytest.mark.torture
def test_two_trainings_that_start_at_once_compile_every_function_once(tmp_path: Path) -> None:
    """Numba's own count of what it did not find; compiling takes half a minute."""
    program = (
        "from grokscope_train.compiled import kernels\n"
        "from grokscope_train.data import load_experiment\n"
        "from grokscope_train.training import Training\n"
        "from tests.train.conftest import SMALL\n"
        "Training(SMALL, load_experiment(SMALL))\n"
        "print(sum(kernels.take_steps.stats.cache_misses.values()))"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    assert sorted(one.communicate(timeout=300)[0] for one in both) == ["0\n", "1\n"]
