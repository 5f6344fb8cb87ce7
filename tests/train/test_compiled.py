"""The compiled steps: the same training as PyTorch's on any number of threads, to the same bits however cut."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grokscope_train.compiled.first_layer import PIXELS_AT_ONCE
from grokscope_train.config import ACTIVATIONS, OPTIMIZERS, TrainConfig
from grokscope_train.data import Experiment, Images
from grokscope_train.network import Parameters
from grokscope_train.order import epoch_order
from grokscope_train.training import Training

from tests.train.conftest import changed
from tests.train.plain_pytorch import train_plainly
from tests.train.test_step import advance_and_compare, largest_difference


@pytest.fixture
def config(small_config: TrainConfig) -> TrainConfig:
    """The small experiment on two threads of compiled code."""
    return changed(small_config, engine="compiled", threads=2)


@pytest.fixture(scope="session")
def sparse(digits: Experiment) -> Experiment:
    """The digits with their faint pixels wiped out: as sparse as MNIST's."""

    def wiped(images: Images) -> Images:
        return Images(np.where(images.pixels < 0.6, 0.0, images.pixels), images.labels)

    experiment = Experiment(wiped(digits.train), wiped(digits.test), digits.train_indices)
    assert 0.1 < np.mean(experiment.train.pixels > 0) < 0.35
    return experiment


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_sparse_images_are_trained_on_as_by_pytorch(
    config: TrainConfig, sparse: Experiment, threads: int, loss: str, depth: int
) -> None:
    config = changed(config, threads=threads, loss=loss, depth=depth)
    assert advance_and_compare(config, sparse, steps=60) < 1e-12


@pytest.mark.parametrize("images", ["digits", "sparse"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_threads_share_every_kind_of_step(
    config: TrainConfig, images: str, activation: str, optimizer: str, request: pytest.FixtureRequest
) -> None:
    config = changed(config, activation=activation, optimizer=optimizer, weight_decay=0.05)
    assert advance_and_compare(config, request.getfixturevalue(images), steps=60) < 1e-12


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("share", [0.04, 0.12, 0.2, 0.6])
def test_however_few_units_are_lit_the_steps_are_pytorchs(
    config: TrainConfig, sparse: Experiment, share: float, threads: int
) -> None:
    """With images of more pixels than are summed at once, and the layers' products in all their ways."""
    large = Experiment(tiled(sparse.train), tiled(sparse.test), sparse.train_indices)
    assert large.train.pixels.shape[1] > PIXELS_AT_ONCE
    training = Training(changed(config, threads=threads, width=24, lr=1e-5), large)
    start = dimmed(training.parameters(), large.train.pixels, share)
    none = Parameters([0 * array for array in start.weights], [0 * array for array in start.biases])
    training.put_parameters(start, none, none)
    advance_by(training, 30)
    counts = training._trained._work.live_count[:2]  # type: ignore[attr-defined]
    np.testing.assert_allclose(counts.mean(axis=1) / 24, share, atol=0.05)
    theirs, _ = train_plainly(training.config, large, start, 30)
    assert largest_difference(training.parameters(), theirs) < 1e-12


def tiled(images: Images) -> Images:
    """Return images eight times as wide, none of whose parts is another."""
    parts = [images.pixels * (1 + part / 8) for part in range(8)]
    return Images(np.concatenate(parts, axis=1) / 2, images.labels)


def dimmed(parameters: Parameters, pixels: Any, share: float) -> Parameters:
    """Return parameters with biases that let each hidden unit be lit by a share of the images."""
    values, biases = pixels, list(parameters.biases)
    for layer, weight in enumerate(parameters.weights[:-1]):
        products = values @ weight.T
        biases[layer] = -np.quantile(products, 1 - share, axis=0)
        values = np.maximum(products + biases[layer], 0)
    return Parameters(parameters.weights, biases)


@pytest.mark.parametrize("lit", [335, 336, 337])
def test_a_batch_that_lights_just_the_share_where_the_ways_part_is_pytorchs(
    config: TrainConfig, sparse: Experiment, lit: int
) -> None:
    """0.35 · 24 · 40 is 336 or less, by the order of multiplication."""
    config = changed(config, width=24, batch_size=40, depth=2, optimizer="sgd", lr=0.1)
    training = Training(config, sparse)
    parameters = training.parameters()
    first_batch = epoch_order(config.seed, 0, len(sparse.train.pixels))[:40]
    values = np.sort((sparse.train.pixels[first_batch] @ parameters.weights[0].T).ravel())
    bias = np.full(24, -(values[-lit] + values[-lit - 1]) / 2)
    start = Parameters(parameters.weights, [bias, parameters.biases[1]])
    training.put_parameters(start, start, start)
    advance_by(training, 1)
    assert training._trained._work.live_count[0].sum() == lit  # type: ignore[attr-defined]
    theirs, _ = train_plainly(config, sparse, start, 1)
    assert largest_difference(training.parameters(), theirs) < 1e-12


def test_units_at_rest_change_no_bit_on_older_processors() -> None:
    """OpenBLAS has other kernels there, which round a row by where the product is cut."""
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", __file__]
    again += ["-k", "without_changing_a_bit and changes0 or to_rest_when"]
    done = subprocess.run(
        again, capture_output=True, text=True, check=False, env={**os.environ, "OPENBLAS_CORETYPE": "Haswell"}
    )
    assert done.returncode == 0, done.stdout


def test_more_threads_than_images_of_a_batch_or_neurons_of_a_layer_have_nothing_to_do(
    config: TrainConfig, sparse: Experiment
) -> None:
    config = changed(config, threads=7, batch_size=3, width=5)
    assert advance_and_compare(config, sparse, steps=40) < 1e-12


@pytest.mark.parametrize("images", ["digits", "sparse"])
def test_the_bits_do_not_depend_on_where_a_training_is_cut(
    config: TrainConfig, images: str, request: pytest.FixtureRequest
) -> None:
    experiment = request.getfixturevalue(images)
    whole, cut = Training(config, experiment), Training(config, experiment)
    while whole.step < 50:
        whole.advance(50)
    for limit in (1, 2, 16, 17, 18, 31, 50):
        while cut.step < limit:
            cut.advance(limit)
        again = Training(config, experiment)
        again.load_state(cut.step, cut.state())
        cut = again
    for name, array in whole.state().items():
        assert cut.state()[name].tobytes() == array.tobytes(), name


def with_unlit_units(training: Training, units: list[int], first: float = 0.0, second: float = 0.0) -> Training:
    """Put a training to step 20,000, with biases that keep some units of fc1 unlit and all moments so."""
    parameters = training.parameters()
    parameters.biases[0][units] = -1e3
    moments = [
        Parameters(*([np.full_like(array, moment) for array in arrays] for arrays in (weights, biases)))
        for moment, weights, biases in [
            (first, parameters.weights, parameters.biases),
            (second, parameters.weights, parameters.biases),
        ]
    ]
    training.put_parameters(parameters, *moments)
    training.seek(20_000)
    return training


def advance_by(training: Training, count: int) -> Training:
    """Take so many steps."""
    limit = training.step + count
    while training.step < limit:
        training.advance(limit)
    return training


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd"}, {"freeze": "fc1", "weight_decay": 0.1}])
def test_units_at_rest_for_good_are_left_out_without_changing_a_bit(
    config: TrainConfig, sparse: Experiment, threads: int, changes: dict[str, Any]
) -> None:
    config = changed(config, threads=threads, **{"weight_decay": 0.0, **changes})
    resting, awake = (with_unlit_units(Training(config, sparse), [0, 3, 4], second=1.0) for _ in range(2))
    awake._steps._can_rest = False  # type: ignore[attr-defined]
    assert num_awake(advance_by(resting, 40)) == config.width - 3
    assert num_awake(advance_by(awake, 40)) == config.width
    for name, array in awake.state().items():
        assert resting.state()[name].tobytes() == array.tobytes(), name


def test_units_come_to_rest_when_their_moments_have_faded(
    config: TrainConfig, sparse: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grokscope_train.compiled.resting.STEPS_BETWEEN", 10)
    config = changed(config, weight_decay=0.0)
    resting, awake = (with_unlit_units(Training(config, sparse), [0, 3, 4], 1e-10, 1.0) for _ in range(2))
    awake._steps._can_rest = False  # type: ignore[attr-defined]
    assert num_awake(advance_by(resting, 30)) == config.width
    for _ in range(25):
        advance_by(resting, 20)
    assert num_awake(resting) == config.width - 3
    advance_by(awake, 530)
    for name, array in awake.state().items():
        assert resting.state()[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize(
    ("changes", "moment"),
    [({"weight_decay": 0.1}, 0.0), ({"activation": "gelu"}, 0.0), ({"beta1": 0.9999}, 0.0), ({}, 1e-6)],
    ids=["decay moves them", "their gradient is not zero", "the first moment outlives the second", "momentum"],
)
def test_units_that_may_still_move_are_not_at_rest(
    config: TrainConfig, sparse: Experiment, changes: dict[str, Any], moment: float
) -> None:
    training = Training(changed(config, **{"weight_decay": 0.0, **changes}), sparse)
    assert num_awake(advance_by(with_unlit_units(training, [0, 3, 4], moment, moment), 20)) == config.width


def test_a_unit_that_an_image_all_but_lights_is_awake(config: TrainConfig, sparse: Experiment) -> None:
    training = with_unlit_units(Training(changed(config, weight_decay=0.0, width=8), sparse), [2, 4, 5, 6])
    parameters = training.parameters()
    parameters.biases[0][5] = np.nextafter(-(sparse.train.pixels @ parameters.weights[0][5]).max(), -np.inf)
    zeros = Parameters([0 * array for array in parameters.weights], [0 * array for array in parameters.biases])
    training.put_parameters(parameters, zeros, zeros)
    assert num_awake(advance_by(training, 1)) == 5


def num_awake(training: Training) -> int:
    """Count the units of fc1 whose products are computed."""
    return int(training._trained._work.num_awake[0])  # type: ignore[attr-defined]


def test_a_thread_that_never_comes_stops_no_other(config: TrainConfig, sparse: Experiment) -> None:
    """As when a second Ctrl-C meets the main thread: the process ends all the same."""
    training = Training(config, sparse)
    steps = training._trained

    def interrupted(share: object) -> None:
        steps.engine._pool.submit(share, 1)  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    steps.engine.on_all_threads = interrupted  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        training.advance(50)
    steps.engine._pool.shutdown()  # type: ignore[attr-defined]


def test_without_numba_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        sys.modules["numba"] = None
        from grokscope.cli.main import main
        sys.argv = "grokscope train -o run.h5 --dataset digits --steps 5 --engine compiled --threads 1".split()
        main()
    """)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 2
    assert "--engine compiled needs Numba" in result.stderr
    assert "--engine torch" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
