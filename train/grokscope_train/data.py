"""The datasets: images in [0, 1], a stratified training set, and everything else to test on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import MissingPackage, UsageError
from grokscope_train.config import TrainConfig

CLASSES = 10
DRAW_STREAM, LABEL_STREAM = 1, 4  # keep these draws apart from the others of a seed
_TORCHVISION_NAMES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}
_RAW_FILES = [f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


@dataclass(frozen=True)
class Images:
    """Images as rows of pixels in [0, 1], float64 [n, pixels], with their labels, int64 [n]."""

    pixels: NDArray[np.float64]
    labels: NDArray[np.int64]

    def one_hot(self) -> NDArray[np.float64]:
        """Return the labels as rows of zeros and a one, float64 [n, 10]."""
        return np.eye(CLASSES)[self.labels]

    def take(self, rows: NDArray[np.int64]) -> Images:
        """Return the given images alone."""
        return Images(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class Experiment:
    """What a network trains and is tested on; `train_indices` are places in the dataset's training part."""

    train: Images
    test: Images
    train_indices: NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """All images of a dataset; those to test on are None where they are what the training leaves."""

    name: str
    pool: Images
    test: Images | None

    def draw(self, config: TrainConfig, train_indices: NDArray[np.int64] | None = None) -> Experiment:
        """Draw a run's training images: as many of each class, or with `train_images` "first" simply the first.

        With `train_indices` (from a run file) those images are taken instead of a draw. With `random_labels` the
        training images' labels are shuffled among them, by the seed; test images keep theirs.
        Raises UsageError where a class has too few images.
        """
        generator, labels = np.random.default_rng([config.seed, DRAW_STREAM]), self.pool.labels
        if train_indices is None and config.train_images == "first":
            train_indices = first_indices(labels, config.train_points)
        elif train_indices is None:
            train_indices = stratified_indices(labels, config.train_points, generator)
        train, test = self.pool.take(train_indices), self.test or self._rest(train_indices)
        if config.random_labels:
            generator = np.random.default_rng([config.seed, LABEL_STREAM])
            train = Images(train.pixels, generator.permutation(train.labels))
        return Experiment(train, test, train_indices)

    def _rest(self, train_indices: NDArray[np.int64]) -> Images:
        rest = np.setdiff1d(np.arange(len(self.pool.labels)), train_indices)
        if len(rest) == 0:
            count = len(train_indices)
            raise UsageError(f"--train-points {count} leaves no image of {self.name} to test on; give fewer")
        return self.pool.take(rest)


def load_dataset(name: str, data_dir: Path | None = None) -> Dataset:
    """Load a dataset by its name; raises UsageError where it cannot be had.

    MNIST and its kin are tested on their own 10,000 test images, digits on all images that are not trained on.
    """
    return Dataset(name, *(load_digits() if name == "digits" else load_mnist(name, data_dir)))


def load_experiment(
    config: TrainConfig, data_dir: Path | None = None, train_indices: NDArray[np.int64] | None = None
) -> Experiment:
    """Load a run's dataset and draw its training images: `load_dataset` and `Dataset.draw` in one."""
    return load_dataset(config.dataset, data_dir).draw(config, train_indices)


def first_indices(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the first `count` places of `labels`, int64 [count]; raises UsageError where there are fewer."""
    if count > len(labels):
        raise UsageError(
            f"--train-points {count} is more than the {len(labels)} images that there are; give fewer"
        )
    return np.arange(count)


def stratified_indices(labels: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` places of `labels`, ascending, so that no class has two more than another; int64 [count].

    Raises UsageError where a class has too few.
    """
    per_class = np.full(CLASSES, count // CLASSES)
    per_class[generator.permutation(CLASSES)[: count % CLASSES]] += 1
    chosen = []
    for label, wanted in enumerate(per_class):
        places = np.flatnonzero(labels == label)
        if wanted > len(places):
            raise UsageError(
                f"--train-points {count} needs {wanted} images of class {label}, "
                f"and there are {len(places)}; give fewer"
            )
        chosen.append(generator.choice(places, wanted, replace=False))
    return np.sort(np.concatenate(chosen))


def load_digits() -> tuple[Images, None]:
    """Return scikit-learn's 1,797 digits of 8×8 pixels; they come with the package and need no network."""
    try:
        from sklearn.datasets import load_digits as sklearn_digits
    except ImportError:
        raise MissingPackage("--dataset digits needs scikit-learn", "train") from None
    pixels, labels = sklearn_digits(return_X_y=True)
    return Images(pixels / 16.0, labels.astype(np.int64)), None


def load_mnist(dataset: str, data_dir: Path | None) -> tuple[Images, Images]:
    """Return the 60,000 training and 10,000 test images of MNIST, Fashion-MNIST or KMNIST.

    Looked for under `data_dir` in torchvision's layout; without `data_dir`, downloaded into the user's data
    folder. Raises UsageError where neither works.
    """
    try:
        from torchvision import datasets
    except ImportError:
        raise MissingPackage(
            f"--dataset {dataset} needs torchvision", "train", "; or use --dataset digits"
        ) from None
    name = _TORCHVISION_NAMES[dataset]
    source = getattr(datasets, name)
    folder = data_dir or user_data_folder()
    try:
        parts = [source(folder, train=train, download=data_dir is None) for train in (True, False)]
    except (RuntimeError, OSError, ValueError) as error:
        raise UsageError(_cannot_load(name, folder, data_dir is None)) from error
    train, test = (
        Images(part.data.numpy().reshape(len(part), -1) / 255.0, part.targets.numpy()) for part in parts
    )
    return train, test


def has_dataset(name: str, folder: Path) -> bool:
    """Tell whether all files of a dataset are under a folder; digits need none."""
    if name not in _TORCHVISION_NAMES:
        return True
    raw = _raw_folder(_TORCHVISION_NAMES[name], folder)
    return all((raw / file).is_file() for file in _RAW_FILES)


def _raw_folder(name: str, folder: Path) -> Path:
    return folder / name / "raw"


def _cannot_load(name: str, folder: Path, downloading: bool) -> str:
    if downloading:
        return (
            f"{name} could not be downloaded into {folder}; name a folder that has it by --data-dir, "
            "or train without a network by --dataset digits"
        )
    return (
        f"no {name} in {folder}: it is looked for in {_raw_folder(name, folder)}; give the folder above it as "
        "--data-dir, leave the option out to download, or use --dataset digits"
    )


def user_data_folder() -> Path:
    """Return the folder in which downloaded datasets are kept."""
    from platformdirs import user_data_path

    return user_data_path("grokscope")
