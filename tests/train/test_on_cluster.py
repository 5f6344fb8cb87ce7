"""Many seeds on a Dask cluster of two worker processes: each the run that it is alone, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grokscope_train.ensemble import StepsReached, member_path
from grokscope_train.on_cluster import MemberTask, run_on_cluster
from grokscope_train.signals import StopRequest

from grokscope.errors import UsageError
from grokscope.runfile import Run
from tests.train.forked import assert_same_run
from tests.waiting import wait_until

distributed = pytest.importorskip("distributed")

SMALL = [
    "--dataset",
    "digits",
    "--train-points",
    "100",
    "--width",
    "8",
    "--engine",
    "torch",
    "--init-scale",
    "2",
]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, processes of their own, each with a thread."""
    with two_workers() as cluster:
        yield cluster


def two_workers(at_first: int = 2) -> Any:
    """Return a new cluster of two workers, or of fewer `at_first`."""
    return distributed.LocalCluster(
        n_workers=at_first, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )


def launch(cluster: Any, output: Path, *options: str) -> subprocess.Popen[str]:
    """Start the command on two seeds."""
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(output), *SMALL, *options]
    command += ["--seeds", "0-1", "--scheduler", cluster.scheduler_address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_command(cluster: Any, output: Path, *options: str) -> subprocess.Popen[str]:
    """Start the command on two seeds, and wait until both are being trained."""
    process = launch(cluster, output, *options)
    wait_until(lambda: process.poll() is not None or all(StepsReached()(path) > 0 for path in files(output)))
    return process


def files(output: Path) -> list[Path]:
    """Return the files of two seeds."""
    return [member_path(output, seed) for seed in (0, 1)]


def test_every_seed_gets_the_run_that_it_gets_alone(
    tmp_path: Path, cluster: Any, grokscope_command: Command
) -> None:
    options = [*SMALL, "--steps", "40"]
    on_cluster = ["--seeds", "0-2", "--scheduler", cluster.scheduler_address]
    result = grokscope_command("train", "-o", "run.h5", *options, *on_cluster, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["run-seed0.h5", "run-seed1.h5", "run-seed2.h5"]
    alone = tmp_path / "alone.h5"
    assert grokscope_command("train", "-o", alone, *options, "--seed", "2", "--threads", "1").returncode == 0
    assert_same_run(Run.open(tmp_path / "run-seed2.h5"), Run.open(alone))
    assert not list(tmp_path.glob(".grokscope-*"))


def test_a_signal_saves_every_seed_and_resume_goes_on(tmp_path: Path, cluster: Any) -> None:
    output = tmp_path / "run.h5"
    process = start_command(cluster, output, "--steps", "100000000")
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--seeds 0-1 --scheduler {cluster.scheduler_address}" in stderr.splitlines()[-1]
    assert "--resume" in stderr.splitlines()[-1]
    stopped_at = {path: StepsReached()(path) for path in files(output)}
    assert [Run.open(path).liveness().state for path in files(output)] == ["interrupted"] * 2
    process = start_command(cluster, output, "--steps", "100000000", "--resume")
    wait_until(lambda: all(StepsReached()(path) > step for path, step in stopped_at.items()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_seed_whose_worker_is_killed_goes_on_elsewhere_to_the_same_bytes(
    tmp_path: Path, cluster: Any, grokscope_command: Command
) -> None:
    output, alone = tmp_path / "run.h5", tmp_path / "alone.h5"
    process = start_command(cluster, output, "--steps", "20000")
    with distributed.Client(cluster.scheduler_address) as client:
        pids = client.run(os.getpid)
    assert not any(Run.open(path).complete for path in files(output))
    os.kill(min(pids.values()), signal.SIGKILL)
    _, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    options = [*SMALL, "--steps", "20000", "--threads", "1", "--overwrite"]
    for seed, path in enumerate(files(output)):
        assert grokscope_command("train", "-o", alone, *options, "--seed", str(seed)).returncode == 0
        assert_same_run(Run.open(path), Run.open(alone))


def test_seeds_save_and_end_when_the_command_is_killed(tmp_path: Path, cluster: Any) -> None:
    output = tmp_path / "run.h5"
    process = start_command(cluster, output, "--steps", "100000000")
    process.kill()
    process.communicate()
    wait_until(lambda: all(Run.open(path).liveness().state == "interrupted" for path in files(output)))


def test_a_scheduler_that_goes_away_is_one_sentence_and_every_seed_is_saved(tmp_path: Path) -> None:
    output = tmp_path / "run.h5"
    with two_workers() as cluster:
        process = start_command(cluster, output, "--steps", "100000000")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the Dask scheduler is gone" in stderr.strip().splitlines()[-1]
    assert "Traceback" not in stderr
    wait_until(lambda: all(Run.open(path).liveness().state == "interrupted" for path in files(output)))


def test_a_failing_seed_says_why(tmp_path: Path, cluster: Any, grokscope_command: Command) -> None:
    (tmp_path / "run-seed1.h5").write_text("in the way")
    options = [*SMALL, "--steps", "5", "--seeds", "0-1", "--resume", "--scheduler", cluster.scheduler_address]
    result = grokscope_command("train", "-o", tmp_path / "run.h5", *options)
    assert result.returncode == 2
    assert "run-seed1.h5 is not an HDF5 file" in result.stderr
    assert Run.open(tmp_path / "run-seed0.h5").complete


def test_a_worker_whose_folder_of_that_name_is_another_trains_nothing(tmp_path: Path, cluster: Any) -> None:
    member = MemberTask(tmp_path / "run.h5", ["train"])
    with distributed.Client(cluster.scheduler_address) as client:
        member.submit(client, tmp_path / "a mark that the client has put elsewhere", "never")
        wait_until(lambda: member.code is not None)
    assert member.code == 2
    assert f"does not share the folder {tmp_path}; name one that all do" in member.last_words()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, cluster: Any) -> None:
    member = MemberTask(tmp_path / "elsewhere" / "run.h5", ["train"])
    with pytest.raises(UsageError, match=r"there is no folder .*elsewhere"), StopRequest() as stop:
        run_on_cluster([member], cluster.scheduler_address, stop, lambda _: None)


def test_seeds_that_wait_for_a_first_worker_say_so(tmp_path: Path) -> None:
    with two_workers(at_first=0) as cluster:
        process = launch(cluster, tmp_path / "run.h5", "--steps", "5")
        assert process.stderr is not None
        assert process.stderr.readline().startswith(f"no worker has joined {cluster.scheduler_address} yet")
        cluster.scale(2)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert all(Run.open(path).complete for path in files(tmp_path / "run.h5"))


def test_no_scheduler_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grokscope.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match="no Dask scheduler answers at tcp://127"), StopRequest() as stop:
        run_on_cluster([], "tcp://127.0.0.1:9", stop, lambda _: None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--scheduler", "tcp://127.0.0.1:9"], "name them by --seeds"),
        (["--batched"], "name them by --seeds"),
        (["--scheduler", "tcp://127.0.0.1:9", "--seeds", "0-1", "--batched"], "leave one out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, grokscope_command: Command, options: list[str], says: str
) -> None:
    result = grokscope_command("train", "-o", "run.h5", *SMALL, *options, cwd=tmp_path)
    assert result.returncode == 2
    assert says in result.stderr
    assert list(tmp_path.iterdir()) == []
