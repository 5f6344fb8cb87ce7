"""How well the weights tell the collapse: ensembles to choose a rule on and to score it on, and controls.

    python benchmarks/collapse.py FOLDER [--parts choose,validate,score,strain,controls] [--jobs 1] [--no-training]
    python benchmarks/collapse.py FOLDER --parts mnist --data-dir MNIST

Trains small networks on handwritten digits by `grokscope train` into FOLDER/choose (seeds 0, 1), FOLDER/validate
(seeds 100, 101), FOLDER/score (seeds 200, 201) and FOLDER/strain (seeds 300, 301), three decays, two widths and
two batch sizes for each seed, and FOLDER/controls (cross-entropy, random labels, smaller initialisations, GELU;
seeds 0, 1), and with `--parts mnist` on 300 images of MNIST into FOLDER/mnist (seeds 300 to 302, three decays).
Measures them and prints what `grokscope evaluate` finds, as Markdown. What is there already is left as it is, and
a training that was stopped goes on. They are trained in a random order, so that those which have ended by some
hour are a fair sample: `--no-training` scores them. A run takes one to two minutes on a core: four hours in all.

The rule by gates was chosen on the first ensemble and scored on the second; the rule by capacity was chosen on
runs of both and frozen before the third one was trained; the rule by strain was chosen on the third and on runs of
the first two, and frozen before the fourth was trained: only the scores of runs that came later count.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

from grokscope.analysis import Spectra
from grokscope.analysis.evidence import observe_run, read_evidence
from grokscope.phases import infer
from grokscope.report.evaluate import evaluate, read_run
from grokscope.report.evaluation_text import evaluation_text
from grokscope.report.text import LABELS
from grokscope.runfile import Run

EXPERIMENT = (
    "--lr 5e-3 --train-points 300 --first-checkpoint 1000 --checkpoints-per-decade 20 "
    "--threads 1 --engine compiled"
)
STEPS = {"digits": 600_000, "mnist": 300_000}
SEEDS = {
    "choose": (0, 1),
    "validate": (100, 101),
    "score": (200, 201),
    "strain": (300, 301),
    "mnist": (300, 301, 302),
}
CONTROL_SEEDS = (0, 1)
DECAYS, WIDTHS, BATCHES = ("0", "0.003", "0.01"), (64, 100), (50, 100)
CONTROLS = {
    "cross-entropy-x8": "--loss cross-entropy --init-scale 8",
    "random-x8": "--random-labels --init-scale 8",
    "random-x1": "--random-labels --init-scale 1",
    "true-x1": "--init-scale 1",
    "true-x4": "--init-scale 4",
    "gelu-x8": "--activation gelu --init-scale 8",
}


def ensemble(part: str) -> dict[str, str]:
    """Return the options of every run of an ensemble, by its name."""
    images, widths, batches = ("mnist", (64,), (50,)) if part == "mnist" else ("digits", WIDTHS, BATCHES)
    return {
        f"{images}-w{width}-b{batch}-wd{decay}-s{seed}": (
            f"--width {width} --batch-size {batch} --init-scale 8 --weight-decay {decay} --seed {seed}"
        )
        for seed, decay, width, batch in product(SEEDS[part], DECAYS, widths, batches)
    }


def controls() -> dict[str, str]:
    """Return the options of every control, by its name."""
    return {
        f"{name}-wd{decay}-s{seed}": f"--width 64 --batch-size 50 {options} --weight-decay {decay} --seed {seed}"
        for (name, options), seed, decay in product(CONTROLS.items(), CONTROL_SEEDS, (DECAYS[0], DECAYS[-1]))
    }


def grokscope(*arguments: object) -> None:
    """Run a command of grokscope, its progress unseen."""
    command = [sys.executable, "-m", "grokscope", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def is_complete(path: Path) -> bool:
    """Tell whether a run has been trained to its end."""
    return path.exists() and Run.open(path).complete


def train(path: Path, images: list[str], options: str) -> None:
    """Train a run to its end, from where it was stopped if it was."""
    if path.exists():
        grokscope("train", "-o", path, "--resume")
    else:
        grokscope("train", "-o", path, *images, *EXPERIMENT.split(), *options.split())


def print_controls(runs: list[Run]) -> None:
    """Print what is observed of each control and what the weights say of it, in checkpoints.

    The last column is for weights that come without a word about loss or labels' shuffling.
    """
    print(
        "| control | last train | best test | last test | collapsed | "
        + " | ".join(LABELS)
        + " | unsaid: grokking |"
    )
    print("|---" * (6 + len(LABELS)) + "|")
    for run in runs:
        evidence, metrics = read_evidence(Spectra(run)), run.metrics()
        said, unsaid = (
            Counter(infer(of.until(index)).label for index in range(run.num_checkpoints))
            for of in (evidence, replace(evidence, no_bound="nothing names its loss", random_labels=False))
        )
        train, test = metrics["train_accuracy"], metrics["test_accuracy"]
        collapsed = observe_run(run).labels.count("anti-grokking")
        counts = [collapsed, *(said[label] for label in LABELS), unsaid["grokking"]]
        accuracies = [f"{value:.3f}" for value in (train[-1], test.max(), test[-1])]
        print(f"| {run.path.stem} | " + " | ".join([*accuracies, *map(str, counts)]) + " |")


def main() -> None:
    """Train what is missing, measure it, and print its scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", default="choose,validate,score,strain,controls")
    parser.add_argument("--data-dir", help="folder with MNIST, in torchvision's layout, for the part mnist")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--no-training", action="store_true", help="score the runs that are complete")
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - {*SEEDS, "controls"}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join([*SEEDS, 'controls'])}")
    for part in options.parts.split(","):
        folder = options.folder / part
        folder.mkdir(parents=True, exist_ok=True)
        name = "mnist" if part == "mnist" else "digits"
        images = ["--dataset", name, "--steps", str(STEPS[name])]
        images += ["--data-dir", options.data_dir] if options.data_dir else []
        wanted = controls() if part == "controls" else ensemble(part)
        paths = {folder / f"{name}.h5": words for name, words in wanted.items()}
        missing = [path for path in paths if not is_complete(path)]
        random.Random(0).shuffle(missing)
        if not options.no_training:
            with ThreadPoolExecutor(options.jobs) as workers:
                list(workers.map(lambda path, of=paths, on=images: train(path, on, of[path]), missing))
            missing = []
        complete = [path for path in paths if path not in missing]
        for path in complete:
            grokscope("analyze", "-j", 1, path)
        runs = [Run.open(path) for path in complete]
        print(f"\n## {part}: {len(runs)} of {len(paths)} runs\n")
        if part == "controls":
            print_controls(runs)
        else:
            scored = [read_run(Spectra(run)) for run in runs]
            print(f"```\n{evaluation_text(scored, evaluate(scored))}\n```")


if __name__ == "__main__":
    main()
