"""The datasets: how images are drawn, scaled and kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grokscope_train.config import TrainConfig
from grokscope_train.data import load_experiment, stratified_indices
from grokscope_train.order import epoch_order
from grokscope_train.recorded import data_folder

from grokscope.errors import UsageError
from grokscope.runfile import LayerSpec, Run, RunWriter


def digits_config(train_points: int, **options: Any) -> TrainConfig:
    """Return the configuration of a run on so many digits."""
    return TrainConfig(dataset="digits", train_points=train_points, **options)


def test_digits_are_scaled_and_training_and_test_images_are_disjoint() -> None:
    experiment = load_experiment(digits_config(200, seed=1))
    assert len(experiment.train.labels) + len(experiment.test.labels) == 1797
    assert experiment.train.pixels.min() == 0.0
    assert experiment.test.pixels.max() == 1.0
    assert np.bincount(experiment.train.labels).tolist() == [20] * 10
    train = {row.tobytes() for row in experiment.train.pixels}
    assert not train & {row.tobytes() for row in experiment.test.pixels}


def test_mnist_has_a_hundred_images_a_class_and_the_whole_test_set(mnist_dir: Path) -> None:
    experiment = load_experiment(TrainConfig(), mnist_dir)
    assert np.bincount(experiment.train.labels).tolist() == [100] * 10
    assert experiment.train.pixels.shape == (1000, 784)
    assert experiment.test.pixels.shape == (10_000, 784)
    assert experiment.train.pixels.max() == 1.0
    assert experiment.test.labels[:5].tolist() == [7, 2, 1, 0, 4]  # the first images of the published test set


@pytest.mark.parametrize("count", [10, 97, 103])
def test_no_class_has_two_images_more_than_another(count: int) -> None:
    labels = np.random.default_rng(0).integers(0, 10, 1000)
    chosen = stratified_indices(labels, count, np.random.default_rng(1))
    per_class = np.bincount(labels[chosen], minlength=10)
    assert len(np.unique(chosen)) == count
    assert per_class.max() - per_class.min() <= 1


def test_the_seed_decides_the_training_images() -> None:
    first, again, other = (load_experiment(digits_config(50, seed=seed)).train_indices for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_first_images_are_the_datasets_own(mnist_dir: Path) -> None:
    """Whatever the seed; of MNIST's first thousand the classes' counts are known."""
    first, again = (load_experiment(TrainConfig(seed=seed, train_images="first"), mnist_dir) for seed in (0, 1))
    np.testing.assert_array_equal(first.train_indices, np.arange(1000))
    np.testing.assert_array_equal(again.train_indices, first.train_indices)
    assert np.bincount(first.train.labels).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    assert first.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    with pytest.raises(UsageError, match="--train-points 70000 is more than the 60000 images"):
        load_experiment(TrainConfig(train_points=70_000, train_images="first"), mnist_dir)


@pytest.mark.parametrize("count", [1790, 1797])
def test_too_many_training_points_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="--train-points"):
        load_experiment(digits_config(count))


def test_a_folder_without_the_data_is_answered_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--data-dir.*--dataset digits"):
        load_experiment(TrainConfig(), tmp_path)


def test_the_folder_that_a_file_names_cannot_move_the_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"dataset": "mnist", "data_dir": "no\x1b[2J\u202ewhere"}
    layers = [LayerSpec("fc1", (2, 3))]
    path = tmp_path / "run.h5"
    RunWriter.create(path, steps=[0], layers=layers, metrics=[], config=config, origin="t").close()
    assert data_folder(Run(path), None) is None
    assert "no·[2J·where" in capsys.readouterr().err


def test_every_epoch_shows_every_image_in_an_order_of_its_own() -> None:
    orders = [epoch_order(seed=3, epoch=epoch, count=100) for epoch in range(20)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(100))
    assert len({order.tobytes() for order in orders}) == 20
    np.testing.assert_array_equal(orders[7], epoch_order(seed=3, epoch=7, count=100))


def test_random_labels_are_shuffled_among_the_training_images_alone_and_by_the_seed() -> None:
    true, random, again = (
        load_experiment(digits_config(200, seed=1, random_labels=wanted)) for wanted in (False, True, True)
    )
    np.testing.assert_array_equal(random.train.pixels, true.train.pixels)
    np.testing.assert_array_equal(random.test.labels, true.test.labels)
    np.testing.assert_array_equal(random.train.labels, again.train.labels)
    assert np.bincount(random.train.labels).tolist() == [20] * 10
    assert (random.train.labels == true.train.labels).mean() < 0.25
    config = digits_config(200, seed=1, random_labels=True)
    other = load_experiment(config, train_indices=random.train_indices)
    np.testing.assert_array_equal(other.train.labels, random.train.labels)
