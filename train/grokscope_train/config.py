"""The experiment's configuration: one frozen dataclass, checked once, stored in every run file."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grokscope.errors import UsageError

ORIGIN = "grokscope train"
"""What made a run file, as the file says it."""

DATASETS = ("mnist", "fashion-mnist", "kmnist", "digits")
TRAIN_IMAGES = ("stratified", "first")
ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid")
LOSSES = ("mse", "cross-entropy")
OPTIMIZERS = ("adamw", "adam", "sgd")
DTYPES = ("float64", "float32")
ENGINES = ("auto", "compiled", "torch")
FORMER_ENGINE = "numpy"  # of runs that older versions made
STORE_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Branch:
    """Where a run that is another's child began, and what was changed there.

    `parent` and `parent_name` are the uuid and the file name of the parent, `step` where the branch leaves it.
    `state` says what it began from: "kept", the parent's training state, or "weights", a checkpoint's weights as
    they are stored. `moments_since` is the step at which the optimizer's moments were last zero, `decay_since`
    the one whose weights of black pixels are in the state. `edits` names what was done to the weights.
    """

    parent: str
    parent_name: str
    step: int
    state: str
    moments_since: int = 0
    decay_since: int = 0
    edits: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainConfig:
    """All that determines a run; the defaults are Table 3 of the paper.

    `depth` counts the linear layers, so 3 is 784–200–200–10. `threads` 0, `device` "auto" and `engine` "auto"
    stand for a choice that is made when the run starts and then recorded. Raises UsageError for a value that
    cannot be meant.
    """

    dataset: str = "mnist"
    train_points: int = 1000
    train_images: str = "stratified"
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
    freeze: str = ""
    keep_states: str = ""
    branch: Branch | None = None

    def __post_init__(self) -> None:
        """Refuse the impossible, naming the option."""
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(f"{option(name)} is {getattr(self, name)}; give {least} or more")
        for name in ("lr", "init_scale", "weight_decay", "eps"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise UsageError(f"{option(name)} is {value}; give a finite number, 0 or more")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{option(name)} is {getattr(self, name)}; give 0 or more, and less than 1")
        for layer in self.frozen_layers:
            if not re.fullmatch(r"fc[1-9]\d*", layer) or int(layer[2:]) > self.depth:
                raise UsageError(f"--freeze names {layer!r}; the layers are fc1 to fc{self.depth}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(f"{option(name)} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", self.device):
            raise UsageError(f"--device is {self.device!r}; choose auto, cpu, cuda or cuda:N")
        if self.device.startswith("cuda") and self.engine == "compiled":
            raise UsageError("--engine compiled runs on a CPU; use --engine torch, or --device cpu")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> TrainConfig:
        """Rebuild a configuration from options by name, ignoring what is not the experiment's."""
        names = {field.name for field in dataclasses.fields(cls)}
        known: dict[str, Any] = {name: value for name, value in values.items() if name in names}
        if isinstance(branch := known.get("branch"), Mapping):
            known["branch"] = Branch(**{**branch, "edits": tuple(branch["edits"])})
        return cls(**known)

    @classmethod
    def of_run(cls, recorded: Mapping[str, object]) -> TrainConfig:
        """Rebuild a configuration from a run file's config; the compiled engine takes a former one's place."""
        former = recorded.get("engine") == FORMER_ENGINE
        return cls.from_mapping({**recorded, "engine": "compiled"} if former else recorded)

    @property
    def frozen_layers(self) -> tuple[str, ...]:
        """Names of the layers that rest, as `freeze` lists them."""
        return tuple(name.strip() for name in self.freeze.split(",") if name.strip())

    @property
    def frozen(self) -> tuple[bool, ...]:
        """Which layers rest, from the first on."""
        return tuple(f"fc{layer + 1}" in self.frozen_layers for layer in range(self.depth))

    @property
    def first_step(self) -> int:
        """Where the run begins: at 0, or where it leaves its parent."""
        return self.branch.step if self.branch else 0

    @property
    def moments_since(self) -> int:
        """The step at which the optimizer's moments were last zero."""
        return self.branch.moments_since if self.branch else 0

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
    "train_images": TRAIN_IMAGES,
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "dtype": DTYPES,
    "engine": ENGINES,
    "store_dtype": STORE_DTYPES,
}
