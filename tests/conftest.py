"""Fixtures that every test may use: where the shared data lies, and a command line to run."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def pytest_configure() -> None:
    """Undo what a background shell or nohup leaves to its children: signals that are ignored from the start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread() -> Iterator[None]:
    """Small matrices on many threads are slower, and tests run side by side.

    No variable is set that chooses BLAS's kernels or threads: commands that tests start look after their own.
    """
    import scipy.linalg  # noqa: F401 (brings a BLAS of its own, to be limited as well)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Path]:
    """Caches go to one folder for the whole test session, never to the user's.

    Machine code alone is kept for other processes and times, under its sources' digest: compiling takes long.
    """
    cache = tmp_path_factory.getbasetemp() / "cache"
    (cache / "grokscope").mkdir(parents=True)
    (cache / "grokscope" / "compiled").symlink_to(pytestconfig.cache.mkdir("compiled"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield cache / "grokscope"


@pytest.fixture(autouse=True)
def _no_spectra(_own_cache: Path) -> None:
    """Spectra are not kept in the cache from test to test: copies of one run share its identity, and so those."""
    shutil.rmtree(_own_cache / "spectra", ignore_errors=True)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The real MNIST in torchvision's layout; tests that need it are skipped where it is absent."""
    path = SHARED / "mnist"
    if not path.is_dir():
        pytest.skip("no MNIST beside this checkout")
    return path


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The reference trajectory, one folder of safetensors files with metrics."""
    path = SHARED / "runs" / "mnist-wd0-seed0"
    if not path.is_dir():
        pytest.skip("no reference trajectory beside this checkout")
    return path


@pytest.fixture(scope="session")
def grokscope_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real `grokscope` command line in a process of its own."""

    def run(*arguments: str | Path, timeout: float = 120, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "grokscope", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)  # type: ignore[call-overload, no-any-return]

    return run


@pytest.fixture(scope="session")
def grokscope_here() -> Callable[..., Result]:
    """Run the command line within this process: where nothing but words and files matters, without its start."""
    from grokscope.cli.main import app

    def run(*arguments: object, cwd: Path | None = None) -> Result:
        with contextlib.chdir(cwd or Path.cwd()):
            return CliRunner().invoke(app, [str(word) for word in arguments])

    return run


@pytest.fixture(scope="session")
def trained_run(
    tmp_path_factory: pytest.TempPathFactory, grokscope_command: Callable[..., subprocess.CompletedProcess[str]]
) -> Path:
    """A small run on handwritten digits, trained by the real command; copy it before changing anything."""
    pytest.importorskip("sklearn")
    path = tmp_path_factory.mktemp("trained") / "digits.h5"
    options = "--dataset digits --steps 300 --width 40 --init-scale 1 --lr 0.005 --checkpoints-per-decade 4"
    done = grokscope_command("train", "-o", path, *options.split())
    assert done.returncode == 0, done.stderr
    return path
