"""One fuzz case: which file, how it is changed, and which command meets it; all that from one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz.bytewise import BYTEWISE
from tests.fuzz.hdf5_mutations import HDF5
from tests.fuzz.material import EXTENSIONS, RUN, SPECTRA, STEPS, TABLE
from tests.fuzz.model_mutations import NPZ, PT, SAFETENSORS
from tests.fuzz.place_mutations import BESIDE, FOLDER, TABLES

Mutation = Callable[[Path, Random], None]
SHOW, EXPORT, LAYERS = "show {path} --json", "export {path}", "export {path} --layers"
CHEAP = ("info {path}", "info {path} --json", EXPORT, "plot {path} accuracy", "plot {path} loss --json")
READERS = (
    *CHEAP, *CHEAP, *CHEAP, SHOW, SHOW, "show {path}", "analyze -j 1 {path}", "report {path}",
    "report {path} --json", "plot {path} alpha --json", "plot {path} esd", "plot {path} heatmap",
    "plot {path} spectrogram --json", LAYERS, "evaluate {path} --json --bootstrap 100",
)  # fmt: skip
DRAWING = ("view {path} --screenshot {out}.svg", "report {path} -o {out}", "plot {path} alpha -o {out}.svg")
BRANCHED = (22, 40)  # where the run keeps weights alone, and where a training state as well
IMPORT = "import {path} -o {out}.h5"
OF_RUN = (
    "check {path}", "compact {path}", "compact {path}", "compact {path}", "train -o {path} --resume --steps 60",
    "train -o {path} --resume --steps 60", "show {path} --without-trap 1", "verify extremes --run {path} --json",
    *(f"branch {{path}} --at {step} -o {{out}}.h5 --steps 60" for step in BRANCHED),
)  # fmt: skip
LIGHT = (*CHEAP, SHOW, IMPORT, OF_RUN[1])
WARMING = (*LIGHT, *DRAWING, READERS[-1], OF_RUN[-1])  # all that loads modules of its own
KINDS: Mapping[str, tuple[tuple[Mutation, ...], tuple[str, ...], str]] = {
    "run": ((*BYTEWISE, *HDF5, *HDF5), (*READERS, *OF_RUN), f"run/{RUN}"),
    "spectra": ((*BYTEWISE, *HDF5), READERS, f"run/{SPECTRA}"),
    "beside": (BESIDE, (*READERS, *OF_RUN), "run"),
    "safetensors": ((*BYTEWISE, *SAFETENSORS), (*READERS, IMPORT, IMPORT), "safetensors"),
    "pt": ((*BYTEWISE, *PT), (*READERS, IMPORT, IMPORT), "pt"),
    "npz": ((*BYTEWISE, *NPZ), (*READERS, IMPORT, IMPORT), "npz"),
    "table": ((*TABLES, *TABLES, *BYTEWISE), (*READERS, IMPORT), f"safetensors/{TABLE}"),
    "folder": (FOLDER, (*READERS, IMPORT), "safetensors"),
}
WEIGHTS = {"run": 9, "spectra": 4, "beside": 2, "safetensors": 4, "pt": 4, "npz": 3, "table": 3, "folder": 3}
DRAWING_SHARE = 0.03


@dataclass(frozen=True)
class Case:
    """A mutation of a kind of file, seeded, and the command that is given the result."""

    kind: str
    mutation: str
    seed: int
    command: str

    @property
    def random(self) -> Random:
        """The case's own randomness."""
        return Random(f"{self.kind} {self.mutation} {self.seed}")

    def mutate(self, folder: Path) -> Path:
        """Change the material in a folder; return the path that the command is given."""
        mutations, _, place = KINDS[self.kind]
        target, given, random = folder / place, folder / place, self.random
        if self.kind in ("spectra", "beside"):
            given = folder / "run" / RUN
        elif self.kind == "table":
            given = target.parent
        elif self.kind in EXTENSIONS:
            target = given / f"step-{random.choice(STEPS)}{EXTENSIONS[self.kind]}"
            given = target if self.command == "info {path}" else given
        next(mutation for mutation in mutations if mutation.__name__ == self.mutation)(target, random)
        return given


def case_of(number: int, light: bool = False) -> Case:
    """Return the case of a number: the same for ever. A light one has a light command in another's place."""
    random = Random(number)
    [kind] = random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    mutations, commands, _ = KINDS[kind]
    draws = random.random() < DRAWING_SHARE
    mutation, command = random.choice(mutations).__name__, random.choice(DRAWING if draws else commands)
    if light and command not in LIGHT:
        command = random.choice([command for command in commands if command in LIGHT and command != SHOW])
    return Case(kind, mutation, number, command)
