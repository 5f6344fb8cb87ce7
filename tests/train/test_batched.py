"""Seeds that are trained as one batched computation: each the same as alone, in a file of its own, never lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from grokscope_train import batched
from grokscope_train.config import TrainConfig
from grokscope_train.data import Experiment, load_experiment
from grokscope_train.ensemble import member_path
from grokscope_train.loop import Outcome
from grokscope_train.signals import StopRequest
from grokscope_train.training import EnsembleTraining, Training
from typer.testing import Result

from grokscope.errors import UsageError
from grokscope.runfile import Run, RunWriter
from tests.train.conftest import SMALL as SMALLEST
from tests.train.conftest import changed, relative_difference
from tests.train.forked import Forked, assert_same_run
from tests.waiting import wait_until

SEEDS = (0, 1, 2)
STACKED = changed(SMALLEST, engine="torch", checkpoints_per_decade=20)
SMALL = ["--dataset", "digits", "--train-points", "100", "--width", "8", "--engine", "torch", "--threads", "1"]
Command = Callable[..., Result]


@pytest.fixture
def small_config() -> TrainConfig:
    """The small experiment on the engine that trains stacks."""
    return STACKED


@pytest.fixture(scope="session")
def experiments() -> list[Experiment]:
    """The data of three seeds; they differ in their black pixels."""
    experiments = [load_experiment(config) for config in with_seeds(STACKED)]
    assert len({tuple(experiment.train.pixels.any(axis=0)) for experiment in experiments}) == len(SEEDS)
    return experiments


def with_seeds(config: TrainConfig) -> list[TrainConfig]:
    """Return the configuration of each seed."""
    return [changed(config, seed=seed) for seed in SEEDS]


def advance(training: Training | EnsembleTraining, steps: int) -> None:
    """Train to a step."""
    while training.step < steps:
        training.advance(steps)


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """Largest relative difference of two states."""
    return max(relative_difference(ours[name], theirs[name]) for name in theirs if theirs[name].size)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize(
    ("optimizer", "weight_decay"), [("adamw", 0.0), ("adamw", 0.05), ("adam", 0.05), ("sgd", 0.05)]
)
def test_every_seed_of_a_stack_is_trained_as_it_is_alone(
    small_config: TrainConfig,
    experiments: list[Experiment],
    loss: str,
    optimizer: str,
    weight_decay: float,
) -> None:
    configs = with_seeds(
        changed(small_config, engine="torch", loss=loss, optimizer=optimizer, weight_decay=weight_decay)
    )
    stack = EnsembleTraining(configs, experiments)
    advance(stack, 60)
    for config, experiment, network in zip(configs, experiments, stack.networks, strict=True):
        alone = Training(config, experiment)
        advance(alone, 60)
        assert network.state_template() == alone.state_template()
        assert largest_difference(network.state(), alone.state()) < 1e-12
        ours, theirs = network.checkpoint(), alone.checkpoint()
        assert largest_difference(ours.weights, theirs.weights) < 1e-12
        assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-9)
        np.testing.assert_array_equal(ours.predictions, theirs.predictions)


def test_an_epoch_of_a_stack_counted_on_the_device_equals_its_steps(
    small_config: TrainConfig, experiments: list[Experiment]
) -> None:
    """What a GPU captures as a graph, run here without one."""
    from grokscope_train.order import epoch_orders

    configs = with_seeds(changed(small_config, engine="torch"))
    by_steps, by_epochs = EnsembleTraining(configs, experiments), EnsembleTraining(configs, experiments)
    advance(by_steps, 9)
    step = by_epochs._epochs._step
    step.set_count(0)
    for epoch in range(3):
        step.shuffle(epoch_orders(SEEDS, epoch, step.num_images))
        step.epoch()
    for ours, theirs in zip(by_epochs.networks, by_steps.networks, strict=True):
        assert largest_difference(ours.state(), theirs.state()) == 0.0


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_states_pass_between_stacks_and_runs_alone(
    small_config: TrainConfig, experiments: list[Experiment], weight_decay: float
) -> None:
    """Three runs alone to step 17, as a stack to 31, alone again to 50: the same as alone throughout."""
    configs = with_seeds(changed(small_config, engine="torch", weight_decay=weight_decay))
    runs = [Training(config, experiment) for config, experiment in zip(configs, experiments, strict=True)]
    for run in runs:
        advance(run, 17)
    stack = EnsembleTraining(configs, experiments)
    stack.load_states(17, [run.state() for run in runs])
    for run, network in zip(runs, stack.networks, strict=True):
        assert largest_difference(network.state(), run.state()) == 0.0
    advance(stack, 31)
    for run, network, config, experiment in zip(runs, stack.networks, configs, experiments, strict=True):
        again = Training(config, experiment)
        again.load_state(31, network.state())
        advance(again, 50)
        advance(run, 50)
        assert largest_difference(again.state(), run.state()) < 1e-12
        assert largest_difference(again.checkpoint().weights, run.checkpoint().weights) < 1e-12


class Batch(Forked):
    """A forked process that trains three seeds as a stack, from their start or from where the files stopped."""

    def __init__(self, output: Path, config: TrainConfig, save_seconds: float = 0.02) -> None:
        paths = {seed: member_path(output, seed) for seed in SEEDS}

        def work() -> int:
            with StopRequest() as stop:
                if any(path.exists() for path in paths.values()):
                    runs = batched.resume(paths, {"steps": config.steps}, None, other_place=False)
                else:
                    runs = batched.start(paths, config, None, overwrite=False)
                with runs:
                    outcomes = runs.train(output.name, stop, save_seconds)
            return 0 if set(outcomes) == {Outcome.FINISHED} else 130

        super().__init__(work)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack that nothing has disturbed, by the name that its seeds' files are made of."""
    output = tmp_path_factory.mktemp("whole") / "whole.h5"
    assert Batch(output, STACKED).wait() == 0
    return output


def run_files(output: Path) -> Iterator[Path]:
    """Return the files of a stack that are there."""
    return (path for seed in SEEDS if (path := member_path(output, seed)).exists())


def assert_same_runs(ours: Path, theirs: Path) -> None:
    """Compare the files of two stacks, byte by byte of what training determines."""
    for seed in SEEDS:
        ours_run, their_run = (Run.open(member_path(output, seed)) for output in (ours, theirs))
        assert ours_run.complete
        assert ours_run.liveness().state == "finished"
        assert_same_run(ours_run, their_run)


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.torture)])
def test_kills_at_random_moments_lose_nothing_and_change_no_byte(
    tmp_path: Path, small_config: TrainConfig, whole: Path, kills: int
) -> None:
    output, generator, met = tmp_path / "killed.h5", np.random.default_rng(kills), 0
    for _ in range(kills):
        code = Batch(output, small_config).kill_after(generator.uniform(0.02, 0.4))
        assert code in (0, -signal.SIGKILL)
        met += code == -signal.SIGKILL
        for path in run_files(output):
            run = Run.open(path)
            for index in range(run.num_checkpoints):
                run.verify(index)
        if code == 0:
            for path in run_files(output):
                path.unlink()  # finished early: start over, and go on killing
    assert met > kills / 2
    assert Batch(output, small_config).wait() == 0
    assert_same_runs(output, whole)


def test_a_signal_saves_every_seed_and_the_stack_goes_on_to_the_same_bytes(
    tmp_path: Path, small_config: TrainConfig, whole: Path
) -> None:
    output = tmp_path / "stopped.h5"
    batch = Batch(output, small_config, save_seconds=1000)
    wait_until(lambda: all(has_checkpoints(member_path(output, seed), 3) for seed in SEEDS))
    assert batch.kill_after(0.0, signal.SIGTERM) == 130
    stopped_at = set()
    for path in run_files(output):
        assert Run.open(path).liveness().state == "interrupted"
        with RunWriter.reopen(path) as writer:
            stopped_at.add(writer.resume_steps[0])
    assert len(stopped_at) == 1
    assert 0 < stopped_at.pop() < small_config.steps
    assert Batch(output, small_config).wait() == 0
    assert_same_runs(output, whole)


def has_checkpoints(path: Path, count: int) -> bool:
    """Tell whether a run file is there and holds that many checkpoints."""
    return path.exists() and Run.open(path).num_checkpoints >= count


def test_seeds_that_were_saved_once_more_go_back_to_where_all_are(
    tmp_path: Path, small_config: TrainConfig
) -> None:
    """As a kill between two saves of one moment leaves them."""
    output = tmp_path / "run.h5"
    assert Batch(output, changed(small_config, steps=100)).wait() == 0
    first, *others = run_files(output)
    for path in others:
        with RunWriter.reopen(path) as writer:
            _, state = writer.load_resume() or (0, {})
            writer.save_resume(200, {name: array + 1.0 for name, array in state.items()})  # to be forgotten
            writer.heartbeat(200, 1.0)
    with RunWriter.reopen(first) as writer:
        writer.heartbeat(100, 1.0)
    assert Batch(output, small_config).wait() == 0
    assert Batch(tmp_path / "whole.h5", changed(small_config, steps=100)).wait() == 0
    assert Batch(tmp_path / "whole.h5", small_config).wait() == 0
    assert_same_runs(output, tmp_path / "whole.h5")


def test_the_command_makes_files_that_every_other_command_takes(tmp_path: Path, grokscope_here: Command) -> None:
    output, alone = tmp_path / "run.h5", tmp_path / "alone.h5"
    options = [*SMALL, "--steps", "40", "--init-scale", "2"]
    result = grokscope_here("train", "-o", output, *options, "--seeds", "0,2", "--batched")
    assert result.exit_code == 0, result.stderr
    paths = [member_path(output, seed) for seed in (0, 2)]
    assert result.stdout.split() == [str(path) for path in paths]
    assert grokscope_here("train", "-o", alone, *options, "--seed", "2").exit_code == 0
    for path, seed in zip(paths, (0, 2), strict=True):
        assert Run.open(path).config["seed"] == seed
        assert grokscope_here("check", path).exit_code == 0
    assert grokscope_here("train", "-o", paths[1], "--resume", "--steps", "80").exit_code == 0
    assert grokscope_here("train", "-o", alone, "--resume", "--steps", "80").exit_code == 0
    ours, theirs = Run.open(paths[1]), Run.open(alone)
    assert ours.complete
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    for layer in theirs.layers:
        last = ours.num_checkpoints - 1
        assert relative_difference(ours.weight(last, layer.name), theirs.weight(last, layer.name)) < 1e-6


def test_a_batch_goes_on_with_seeds_that_were_trained_alone_and_with_new_ones(
    tmp_path: Path, grokscope_here: Command
) -> None:
    output = tmp_path / "run.h5"
    alone = member_path(output, 1)
    assert grokscope_here("train", "-o", alone, *SMALL, "--steps", "30", "--seed", "1").exit_code == 0
    options = ["--seeds", "0-2", "--batched", "--resume", "--steps", "60"]
    result = grokscope_here("train", "-o", output, *options)
    assert result.exit_code == 0, result.stderr
    for seed in SEEDS:
        run = Run.open(member_path(output, seed))
        assert run.complete
        assert (run.config["seed"], run.config["width"], run.steps[-1]) == (seed, 8, 60)


def test_a_stop_prints_the_command_that_resumes(tmp_path: Path, grokscope_here: Command) -> None:
    output = tmp_path / "a run.h5"
    command = [sys.executable, "-m", "grokscope", "train", "-o", str(output), *SMALL]
    command += ["--seeds", "0-2", "--batched", "--steps", "100000000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: all(has_checkpoints(member_path(output, seed), 3) for seed in SEEDS))
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert f"grokscope train -o '{output}' --resume" in stderr
    assert "--seeds 0-2 --batched" in stderr


def test_a_seed_that_diverges_is_left_and_the_others_go_on(
    tmp_path: Path, small_config: TrainConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = {seed: member_path(tmp_path / "run.h5", seed) for seed in SEEDS}
    with (
        batched.start(paths, changed(small_config, steps=10), None, overwrite=False) as runs,
        StopRequest() as stop,
    ):
        runs.train("run.h5", stop, 30.0)
    with RunWriter.reopen(paths[1]) as writer:
        step, state = writer.load_resume() or (0, {})
        writer.save_resume(step, {**state, "flat": np.full_like(state["flat"], np.nan)})
    for _ in range(2):  # the second time it is known to have diverged
        with batched.resume(paths, {"steps": 60}, None, False) as runs, StopRequest() as stop:
            outcomes = runs.train("run.h5", stop, 30.0)
        assert outcomes == [Outcome.FINISHED, Outcome.DIVERGED, Outcome.FINISHED]
    assert capfd.readouterr().err.count("run-seed1.h5: the loss is not finite at step 11; lower --lr") == 1
    left, *others = (Run.open(paths[seed]) for seed in (1, 0, 2))
    assert left.steps[-1] == 11
    for run in others:
        assert run.complete
        assert np.isfinite(run.metrics()["train_loss"]).all()


def test_runs_that_differ_in_more_than_their_seeds_are_no_batch(tmp_path: Path, grokscope_here: Command) -> None:
    output = tmp_path / "run.h5"
    for seed, lr in ((0, "0.001"), (1, "0.002")):
        options = [*SMALL, "--steps", "5", "--lr", lr, "--seed", str(seed)]
        assert grokscope_here("train", "-o", member_path(output, seed), *options).exit_code == 0
    result = grokscope_here("train", "-o", output, "--seeds", "0-1", "--batched", "--resume", "--steps", "9")
    assert result.exit_code == 2
    assert "run-seed1.h5 has --lr 0.002" in result.stderr
    assert Run.open(member_path(output, 0)).steps[-1] == 5


def test_a_file_in_the_way_is_met_before_anything_is_made(tmp_path: Path, grokscope_here: Command) -> None:
    in_the_way = tmp_path / "run-seed1.h5"
    in_the_way.write_text("in the way")
    options = [*SMALL, "--steps", "5", "--seeds", "0-1", "--batched"]
    result = grokscope_here("train", "-o", tmp_path / "run.h5", *options)
    assert result.exit_code == 2
    assert "run-seed1.h5 exists" in result.stderr
    assert list(tmp_path.iterdir()) == [in_the_way]


def test_a_state_to_go_back_to_has_to_be_there(whole: Path) -> None:
    with RunWriter.reopen(member_path(whole, 0)) as writer:
        with pytest.raises(UsageError, match="no training state at step 7"):
            writer.go_back(7)
        assert writer.resume_steps[0] == STACKED.steps
