"""What prevents the collapse? Branches of small runs at the peak of their test accuracy, an arm a change.

    python benchmarks/branches.py FOLDER [--seeds 0,1,2] [--steps 600000] [--jobs 1] [--data-dir MNIST]
    python benchmarks/branches.py FOLDER --parent RUN.h5 --at STEP --steps N [--data-dir MNIST] [--arms NAME,…]

For each seed a parent is trained to its end without weight decay, which finds its peak, and once more up to the
peak, whose training state every arm begins with; the arm without a change repeats the parent bit for bit. Trains
by `grokscope train` and `grokscope branch` into FOLDER, leaves out what is there already (so it can be stopped),
and prints one table in Markdown. On digits, a seed takes about ten minutes on one core; with --data-dir the images
are MNIST's, all else is the same. With --parent every arm leaves a run that is there already, with fresh moments
where it holds none of that step.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grokscope.runfile import Run

EXPERIMENT = (
    "--width 64 --lr 5e-3 --batch-size 50 --train-points 300 --init-scale 8 --weight-decay 0 "
    "--first-checkpoint 1000 --checkpoints-per-decade 20 --threads 1 --engine compiled"
)
ARMS = {
    "unchanged": "",
    "fresh moments": "--fresh-moments",
    "ε 1e-6": "--eps 1e-6",
    "ε 1e-4": "--eps 1e-4",
    "β₂ 0.99": "--beta2 0.99",
    "β₂ 0.9999": "--beta2 0.9999",
    "learning rate / 10": "--lr {tenth}",
    "decay 0.003": "--weight-decay 0.003",
    "decay 0.01": "--weight-decay 0.01",
    "FC1 frozen": "--freeze fc1",
    "gates opened": "--open-gates",
    "means subtracted": "--clip-mean",
    "SGD at rate 0.05": "--optimizer sgd --lr 0.05",
}
FALL = 0.05  # of test accuracy below the parent's peak: a collapse
MEMORISED = 0.99  # training accuracy below which a network has lost more than its generalisation


@dataclass(frozen=True)
class Origin:
    """Where arms begin: a run, a step of it, and what its arms' files are called after."""

    run: Path
    step: int
    tag: str

    def accuracy(self) -> float:
        """Return the parent's test accuracy there."""
        run = Run.open(self.run)
        return float(run.metrics()["test_accuracy"][run.steps.tolist().index(self.step)])

    def change(self, arm: str) -> list[str]:
        """Return the options of an arm."""
        return ARMS[arm].format(tenth=Run.open(self.run).config["lr"] / 10).split()


@dataclass(frozen=True)
class Outcome:
    """How one branch went: accuracies as fractions, units of fc1 that a training image lights in the mean.

    `left` is the parent's where the branch left it, `begin` the branch's own there, after what was done to it, and
    `best` its largest.
    """

    left: float
    begin: float
    best: float
    last: float
    train: float
    lit: float

    @property
    def fell(self) -> bool:
        """Whether test accuracy has collapsed while the training images are still known."""
        return self.left - self.last >= FALL and self.train >= MEMORISED


def grokscope(*arguments: object) -> None:
    """Run a command of grokscope, its progress unseen."""
    command = [sys.executable, "-m", "grokscope", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def is_complete(path: Path, steps: int) -> bool:
    """Tell whether a run has been trained to this step; exits where it is one that ends elsewhere."""
    if not path.exists():
        return False
    run = Run.open(path)
    if (last := int(run.planned_steps[-1])) != steps:
        sys.exit(f"{path} is trained to step {last:,}, not {steps:,}; name another folder, or --steps {last}")
    return run.complete


def peak_of(parent: Path) -> int:
    """Return the step of the largest test accuracy."""
    run = Run.open(parent)
    return int(run.steps[np.argmax(run.metrics()["test_accuracy"])])


def train_parent(folder: Path, images: list[str], seed: int, steps: int) -> Origin:
    """Train a seed's parent, and once more up to its peak; return where its arms begin."""
    whole, up_to_peak = folder / f"parent-s{seed}.h5", folder / f"peak-s{seed}.h5"
    for path, last in ((whole, lambda: steps), (up_to_peak, lambda: peak_of(whole))):
        if not is_complete(path, last()):
            options = [*images, *EXPERIMENT.split(), "--seed", seed, "--steps", last()]
            grokscope("train", "-o", path, "--overwrite", *options)
    return Origin(up_to_peak, peak_of(whole), f"s{seed}")


def train_arms(folder: Path, origin: Origin, steps: int, arms: list[str], asked: list[str]) -> None:
    """Train every arm from where it begins to the last step."""
    for name in arms:
        path = branch_path(folder, name, origin)
        if not is_complete(path, steps):
            begin = [origin.run, "--at", origin.step, "--steps", steps, *asked]
            grokscope("branch", *begin, "-o", path, "--overwrite", *origin.change(name))


def branch_path(folder: Path, name: str, origin: Origin) -> Path:
    """Return where an arm's run file lies."""
    return folder / f"arm{list(ARMS).index(name):02}-{origin.tag}.h5"


def outcome(folder: Path, name: str, origin: Origin) -> Outcome:
    """Read how a branch went; its end is the mean of its last three checkpoints, for one alone is noisy."""
    metrics = Run.open(branch_path(folder, name, origin)).metrics()
    return Outcome(
        left=origin.accuracy(),
        begin=float(metrics["test_accuracy"][0]),
        best=float(metrics["test_accuracy"].max()),
        last=float(metrics["test_accuracy"][-3:].mean()),
        train=float(metrics["train_accuracy"][-3:].mean()),
        lit=float(metrics["units_lit_fc1"][-1]),
    )


def repeats_parent(folder: Path, seed: int, origin: Origin) -> bool:
    """Tell whether the arm without a change has the parent's weights at the last step, bit for bit."""
    paths = folder / f"parent-s{seed}.h5", branch_path(folder, "unchanged", origin)
    runs = [Run.open(path) for path in paths]
    last = [[run.weight(run.num_checkpoints - 1, layer.name) for layer in run.layers] for run in runs]
    return all(np.array_equal(one, other) for one, other in zip(*last, strict=True))


def row(name: str, outcomes: list[Outcome]) -> str:
    """Return an arm's row of the table."""

    def mean(attribute: str) -> float:
        return float(np.mean([getattr(each, attribute) for each in outcomes]))

    falls = [100 * (each.left - each.last) for each in outcomes]
    lost = sum(each.train < MEMORISED for each in outcomes)
    fall = f"{np.mean(falls):.1f}" + (f" ({min(falls):.1f} to {max(falls):.1f})" if len(falls) > 1 else "")
    columns = (
        name,
        f"{mean('begin'):.3f}",
        f"{mean('best'):.3f}",
        f"{mean('last'):.3f}",
        fall,
        f"{sum(each.fell for each in outcomes)} of {len(falls)}",
        f"{mean('train'):.3f}" + (f" ({lost} below {MEMORISED})" if lost else ""),
        f"{mean('lit'):.1f}",
    )
    return f"| {' | '.join(columns)} |"


def print_table(folder: Path, arms: list[str], origins: list[Origin]) -> None:
    """Print a row an arm, means over where they began; a fall is from the parent's accuracy there."""
    print(
        "| arm | test where it begins | best | at the end | points below the parent | collapsed | training | lit |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in arms:
        print(row(name, [outcome(folder, name, origin) for origin in origins]))


def from_seeds(options: argparse.Namespace, arms: list[str]) -> None:
    """Train a parent for every seed, and its arms from the peak on."""
    mnist = ["--dataset", "mnist", "--data-dir", options.data_dir]
    images = mnist if options.data_dir else ["--dataset", "digits"]
    seeds = [int(seed) for seed in options.seeds.split(",")]

    def train(seed: int) -> Origin:
        origin = train_parent(options.folder, images, seed, options.steps)
        train_arms(options.folder, origin, options.steps, arms, [])
        return origin

    with ThreadPoolExecutor(options.jobs) as pool:
        origins = list(pool.map(train, seeds))
    peaks = ", ".join(f"{origin.step:,} (seed {seed})" for seed, origin in zip(seeds, origins, strict=True))
    print(f"Branched at the peak: step {peaks}; trained to step {options.steps:,}.")
    if "unchanged" in arms:
        repeated = sum(map(repeats_parent, [options.folder] * len(seeds), seeds, origins))
        print(f"The arm without a change repeats its parent bit for bit in {repeated} of {len(seeds)} seeds.")
    print()
    print_table(options.folder, arms, origins)


def from_parent(options: argparse.Namespace, arms: list[str]) -> None:
    """Train the arms of one run that is there already."""
    origin = Origin(options.parent, options.at, f"{options.parent.stem}-{options.at}")
    asked = ["--checkpoints-per-decade", "20", *(["--data-dir", options.data_dir] if options.data_dir else [])]
    train_arms(options.folder, origin, options.steps, arms, asked)
    print(f"Branched from {options.parent} at step {options.at:,}; trained to step {options.steps:,}.\n")
    print_table(options.folder, arms, [origin])


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--jobs", type=int, default=1, help="seeds that are trained side by side")
    parser.add_argument("--data-dir", help="folder with MNIST, in torchvision's layout")
    parser.add_argument("--parent", type=Path, help="a run that every arm leaves, instead of new parents")
    parser.add_argument("--at", type=int, help="the checkpoint of --parent at which they do")
    parser.add_argument("--arms", help="arms by name, with commas (default: all)")
    options = parser.parse_args()
    arms = options.arms.split(",") if options.arms else list(ARMS)
    if unknown := set(arms) - set(ARMS):
        parser.error(f"no arm {', '.join(sorted(unknown))}; there are {', '.join(ARMS)}")
    if (options.parent is None) != (options.at is None):
        parser.error("--parent and --at go together")
    if options.parent and options.at not in (steps := Run.open(options.parent).steps.tolist()):
        parser.error(
            f"{options.parent} has no checkpoint at step {options.at}; it has {', '.join(map(str, steps))}"
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    (from_parent if options.parent else from_seeds)(options, arms)


if __name__ == "__main__":
    main()
