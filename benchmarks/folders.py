"""What it costs to open, analyse and view a folder of GPT-2's checkpoints that another program has saved.

GPT-2 is built from its configuration with random weights, each step a little further from the first, and saved by
transformers as checkpoint-N/. The commands run as a user runs them; memory is that of the process and its workers
together, without the mapped pages of the files, sampled ten times a second.

    python benchmarks/folders.py [--steps 4] [--jobs 2] [--layers 12] [--width 768] [--vocabulary 50257]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 10**6
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True)
class Cost:
    """Of one command: seconds on the clock and of the processors, and the most memory, in bytes."""

    wall: float
    processor: float
    anonymous: int
    resident: int


def main() -> None:
    """Print a row for each command."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "gpt2"
        save(folder, asked.steps, asked.layers, asked.width, asked.vocabulary)
        size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
        print(f"{asked.steps} checkpoints of {asked.layers} blocks, {size / MEGABYTE:,.0f} MB\n")
        print("| command | s | processor s | MB, anonymous | MB, resident |\n|---|---|---|---|---|")
        picture = ["view", folder, "--screenshot", Path(place) / "x.svg"]
        for words in (
            ["info", folder],
            picture,
            ["analyze", folder, "-j", asked.jobs],
            ["analyze", folder],
            picture,
            ["show", folder],
            ["report", folder],
        ):
            cost = measured([str(word) for word in words])
            named = " ".join("FOLDER" if word == folder else str(word) for word in words[:4])
            memory = f"{cost.anonymous / MEGABYTE:,.0f} | {cost.resident / MEGABYTE:,.0f}"
            print(
                f"| {named.partition(' --')[0]} | {cost.wall:.1f} | {cost.processor:.1f} | {memory} |", flush=True
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("steps", 4), ("jobs", 2), ("layers", 12), ("width", 768), ("vocabulary", 50257)):
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def save(folder: Path, steps: int, layers: int, width: int, vocabulary: int) -> None:
    """Save checkpoints of a GPT-2 whose weights wander."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=vocabulary, n_embd=width, n_layer=layers, n_head=max(1, width // 64))
    model = GPT2LMHeadModel(config)
    for step in range(1, steps + 1):
        model.save_pretrained(folder / f"checkpoint-{1000 * step}")
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.005)


def measured(words: Sequence[str]) -> Cost:
    """Run a command to its end; raises where it fails."""
    before, started = os.times(), time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", "grokscope", *words], stdout=said, stderr=said)
        most = (0, 0)
        while process.poll() is None:
            most = tuple(map(max, most, _memory(process.pid)))
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"grokscope {' '.join(words)}: {said.read().decode()}")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.monotonic() - started, spent, *most)


def _memory(process: int) -> tuple[int, int]:
    """Anonymous and resident bytes of a process and all below it."""
    anonymous = resident = 0
    for each in [process, *_below(process)]:
        try:
            lines = Path(f"/proc/{each}/status").read_text(encoding="utf-8").splitlines()
        except OSError:  # has just ended
            continue
        found = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)
                 if name in ("RssAnon", "VmRSS")}  # fmt: skip
        anonymous += found.get("RssAnon", 0)
        resident += found.get("VmRSS", 0)
    return anonymous, resident


def _below(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*children, *(below for child in children for below in _below(child))]


if __name__ == "__main__":
    main()
