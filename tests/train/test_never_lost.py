"""A run survives kills, signals and a full disk, and ends in the bytes of one that was never disturbed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from grokscope_train.config import TrainConfig
from grokscope_train.data import load_experiment
from grokscope_train.signals import StopRequest
from grokscope_train.training import Training

from grokscope.runfile import Run, RunWriter
from tests.train.conftest import SMALL, changed
from tests.train.forked import Trainer, assert_same_run, finished_run, limit_file_size

FULL_DISK = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small run, which nothing has disturbed; its forked trainers find the compiled steps loaded."""
    Training(SMALL, load_experiment(SMALL))
    return finished_run(tmp_path_factory.mktemp("whole") / "whole.h5", SMALL)


def kill_many_times(path: Path, config: TrainConfig, kills: int, seed: int) -> int:
    """Start, kill and resume until the run is finished; return the kills that met a living trainer."""
    generator = np.random.default_rng(seed)
    acknowledged: set[int] = set()
    met = 0
    for _ in range(kills):
        trainer = Trainer(path, config)
        code = trainer.kill_after(generator.uniform(0.0, 0.25))
        met += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)
        acknowledged |= set(trainer.acknowledged)
        if path.exists():
            assert_checkpoints_are_whole(Run.open(path), acknowledged)
        if code == 0:
            path.unlink()  # finished early: start over, and go on killing
            acknowledged.clear()
    assert Trainer(path, config).wait() == 0
    return met


def assert_checkpoints_are_whole(run: Run, acknowledged: set[int]) -> None:
    """Every acknowledged checkpoint is there, and the CRC of every committed one holds."""
    assert acknowledged <= set(run.steps.tolist())
    for index in range(run.num_checkpoints):
        run.verify(index)


@pytest.mark.parametrize("kills", [20, pytest.param(300, marks=pytest.mark.torture)])
def test_kills_at_random_moments_lose_nothing_and_change_no_byte(
    tmp_path: Path, small_config: TrainConfig, kills: int
) -> None:
    config = changed(small_config, threads=2)
    undisturbed = finished_run(tmp_path / "whole.h5", config)
    met = kill_many_times(tmp_path / "killed.h5", config, kills, seed=kills)
    assert met > kills / 2
    assert_same_run(Run.open(tmp_path / "killed.h5"), undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
def test_a_signal_saves_and_the_run_goes_on_to_the_same_bytes(
    tmp_path: Path, small_config: TrainConfig, whole: Run, number: int
) -> None:
    path = tmp_path / "stopped.h5"
    trainer = Trainer(path, small_config)
    assert trainer.wait_for_checkpoint() == 0  # it is training, or evaluating the next checkpoint
    assert trainer.kill_after(0.05, number) == 130
    with RunWriter.reopen(path) as writer:
        stopped_at, _ = writer.load_resume() or (-1, {})
    assert max(trainer.acknowledged) <= stopped_at < small_config.steps
    assert Run.open(path).liveness().state == "interrupted"
    assert Trainer(path, small_config).wait() == 0
    assert_same_run(Run.open(path), whole)


@pytest.mark.parametrize("stops", [5, pytest.param(100, marks=pytest.mark.torture)])
def test_sigterm_during_evaluation_commits_what_is_being_evaluated(
    tmp_path: Path, small_config: TrainConfig, stops: int
) -> None:
    """With a checkpoint at every step nearly all the time goes into evaluation."""
    config = changed(small_config, checkpoints_per_decade=10_000)
    path = tmp_path / "stopped.h5"
    generator = np.random.default_rng(stops)
    met = 0
    for _ in range(stops):
        trainer = Trainer(path, config)
        trainer.wait_for_checkpoint()
        code = trainer.kill_after(generator.uniform(0.0, 0.1), signal.SIGTERM)
        assert code in (0, 130)
        if code == 130 and trainer.acknowledged:
            assert Run.open(path).steps[-1] == max(trainer.acknowledged)
            met += 1
    assert met > 0
    assert Trainer(path, config).wait() == 0
    assert_same_run(Run.open(path), finished_run(tmp_path / "whole.h5", config))


@pytest.mark.parametrize("times", [3, pytest.param(60, marks=pytest.mark.torture)])
def test_a_full_disk_stops_cleanly_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, small_config: TrainConfig, whole: Run, times: int
) -> None:
    path = tmp_path / "full.h5"
    generator = np.random.default_rng(times)
    first = Trainer(path, small_config)
    assert first.wait_for_checkpoint() == 0
    first.kill_after(0.0)
    size = path.stat().st_size
    codes = []
    for _ in range(times):
        trainer = Trainer(path, small_config)
        limit_file_size(trainer.pid, int(generator.uniform(0, size)))
        codes.append(trainer.wait())
        assert_checkpoints_are_whole(Run.open(path), set(first.acknowledged) | set(trainer.acknowledged))
    assert set(codes) <= {0, FULL_DISK}
    assert FULL_DISK in codes
    assert Trainer(path, small_config).wait() == 0
    assert_same_run(Run.open(path), whole)


def test_a_compact_run_goes_on_to_the_same_bytes_through_kills(
    tmp_path: Path, small_config: TrainConfig, whole: Run
) -> None:
    path = tmp_path / "compact.h5"
    trainer = Trainer(path, small_config)
    assert trainer.wait_for_checkpoint() == 0
    assert trainer.kill_after(0.05, signal.SIGTERM) == 130
    for _ in range(5):
        with RunWriter.reopen(path) as writer:
            writer.compact()
        Trainer(path, small_config).kill_after(0.1)
        assert_checkpoints_are_whole(Run.open(path), set(trainer.acknowledged))
    assert Trainer(path, small_config).wait() == 0
    assert_same_run(Run.open(path), whole)


def test_the_first_signal_is_remembered_and_a_ctrl_c_after_it_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop
        os.kill(os.getpid(), signal.SIGHUP)  # a terminal that closes is no second Ctrl-C
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert stop.received is signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_more_steps_on_resume_end_in_the_bytes_of_a_longer_run(tmp_path: Path, small_config: TrainConfig) -> None:
    """The shorter run's last checkpoint stays; all others are the longer run's."""
    path, longer = tmp_path / "extended.h5", changed(small_config, steps=500)
    assert Trainer(path, small_config).wait() == 0
    assert Trainer(path, longer).wait() == 0
    extended, undisturbed = Run.open(path), finished_run(tmp_path / "whole.h5", longer)
    assert extended.complete
    assert set(extended.steps) == set(undisturbed.steps) | {300}
    assert extended.config["steps"] == 500
    index, expected = extended.num_checkpoints - 1, undisturbed.num_checkpoints - 1
    for layer in undisturbed.layers:
        np.testing.assert_array_equal(extended.weight(index, layer.name), undisturbed.weight(expected, layer.name))


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_state_saved_within_an_epoch_resumes_to_the_bit(
    tmp_path: Path, small_config: TrainConfig, engine: str
) -> None:
    config = changed(small_config, engine=engine, weight_decay=0.01)
    experiment = load_experiment(config)
    straight, broken = Training(config, experiment), Training(config, experiment)
    for _ in range(40):
        straight.advance(straight.step + 1)
    for _ in range(16):
        broken.advance(broken.step + 1)
    again = Training(config, experiment)
    again.load_state(16, broken.state())
    for _ in range(24):
        again.advance(again.step + 1)
    for name, array in straight.state().items():
        assert array.tobytes() == again.state()[name].tobytes(), name
    for ours, theirs in zip(again.parameters().weights, straight.parameters().weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
