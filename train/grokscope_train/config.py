"""The experiment's configuration: one frozen dataclass, checked once, stored in every run file."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grokscope.errors import UsageError
from grokscope_train.optimizer import Hyperparameters

DATASETS = ("mnist", "fashion-mnist", "kmnist", "digits")
ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid")
LOSSES = ("mse", "cross-entropy")
OPTIMIZERS = ("adamw", "adam", "sgd")
DTYPES = ("float64", "float32")
ENGINES = ("auto", "compiled", "torch", "numpy")
STORE_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class TrainConfig:
    """All that determines a run; the defaults are Table 3 of the paper.

    `depth` counts the linear layers, so 3 is 784–200–200–10. `threads` 0, `device` "auto" and `engine` "auto"
    stand for a choice that is made when the run starts and then recorded. Raises UsageError for a value that
    cannot be meant.
    """

    dataset: str = "mnist"
    train_points: int = 1000
    random_labels: bool = False
    steps: int = 10_000_000
    batch_size: int = 200
    depth: int = 3
    width: int = 200
    activation: str = "relu"
    init_scale: float = 8.0
    loss: str = "mse"
    optimizer: str = "adamw"
    lr: float = 5e-4
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    seed: int = 0
    dtype: str = "float64"
    device: str = "auto"
    engine: str = "auto"
    threads: int = 0
    checkpoints_per_decade: int = 20
    first_checkpoint: int = 1
    store_dtype: str = "float32"

    def __post_init__(self) -> None:
        """Refuse the impossible, naming the option."""
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f"{option(name)} is {getattr(self, name)}; give {least} or more")
        for name in ("lr", "init_scale", "weight_decay", "eps"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise UsageError(f"{option(name)} is {value}; give a finite number, 0 or more")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(f"{option(name)} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", self.device):
            raise UsageError(f"--device is {self.device!r}; choose auto, cpu, cuda or cuda:N")
        if self.device.startswith("cuda") and self.engine in ("compiled", "numpy"):
            raise UsageError(f"--engine {self.engine} runs on a CPU; use --engine torch, or --device cpu")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> TrainConfig:
        """Rebuild a configuration from a run file's config, ignoring what is not the experiment's."""
        names = {field.name for field in dataclasses.fields(cls)}
        known: dict[str, Any] = {name: value for name, value in values.items() if name in names}
        return cls(**known)

    def hyperparameters(self) -> Hyperparameters:
        """Return what the optimizer needs."""
        return Hyperparameters(self.lr, self.beta1, self.beta2, self.eps, self.weight_decay)

    def sizes(self, inputs: int, classes: int) -> tuple[int, ...]:
        """Return the widths of all layers, from the input to the output."""
        return (inputs, *[self.width] * (self.depth - 1), classes)


def option(name: str) -> str:
    """Spell a field as the command line does."""
    return "--" + name.replace("_", "-")


_LEAST = {
    "steps": 0,
    "train_points": 1,
    "batch_size": 1,
    "depth": 1,
    "width": 1,
    "seed": 0,
    "threads": 0,
    "checkpoints_per_decade": 1,
    "first_checkpoint": 1,
}
_CHOICES = {
    "dataset": DATASETS,
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "dtype": DTYPES,
    "engine": ENGINES,
    "store_dtype": STORE_DTYPES,
}
