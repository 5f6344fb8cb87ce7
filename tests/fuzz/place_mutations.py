"""Tables that are none, and strange things in a folder or beside a run: pipes, devices, links, folders, names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

from tests.fuzz.material import RUN, SPECTRA, STEPS, TABLE

CELLS = ("", "nan", "inf", "-1", "1e999", "x", "\x1b[2J", "1,5", '"', "é", "10**9", "9" * 400, "True", " 3 ", "١")
HEADERS = (
    "step",
    "Step",
    "epoch",
    "",
    "step,step",
    "\x1b]0;owned\x07",
    "train_accuracy",
    "x" * 300,
    "loss/a",
    "..",
)
ODD_NAMES = (
    "step-99\x1b[2J",
    "step-99\n",
    "n" * 240,
    "step-1e400",
    "step--5",
    "step-99999999999999999999",
    "é-77",
)


def cells(path: Path, random: Random) -> None:
    """Some cells of a table that hold something else."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    for _ in range(random.randint(1, 4)):
        row = random.choice(rows[1:])
        row[random.randrange(len(row))] = random.choice(CELLS)
    path.write_text("\n".join(",".join(row) for row in rows))


def headers(path: Path, random: Random) -> None:
    """Columns of another name."""
    first, *rest = path.read_text().splitlines()
    names = first.split(",")
    names[random.randrange(len(names))] = random.choice(HEADERS)
    path.write_text("\n".join([",".join(names), *rest]))


def lines(path: Path, random: Random) -> None:
    """Lines that are missing, doubled, in another order, or too long or short."""
    first, *rest = path.read_text().splitlines()
    choices = (rest[::-1], rest * 2, [], [*rest, "1"], [*rest, "1,2,3,4,5"], [*rest, ""], rest[1:], ["," * 5000])
    path.write_text("\n".join([first, *random.choice(choices)]))


def encoded(path: Path, random: Random) -> None:
    """Another encoding, another separator, a mark at the beginning, or bytes that are no text."""
    text = path.read_text()
    encodings = ("utf-16", "utf-8-sig", "utf-32")
    contents = (
        *map(text.encode, encodings), text.replace(",", random.choice(";\t|")).encode(), b"\0" + text.encode(),
        text.replace("\n", "\r").encode(), text.encode() + b"\xff\xfe\xfa",
    )  # fmt: skip
    path.write_bytes(random.choice(contents))


def as_json_lines(path: Path, random: Random) -> None:
    """Lines of JSON, some of them none."""
    values = ('{"step": 10, "loss": 1}', "{", "[]", "7", "null", '{"step": null}', '{"step": 20, "loss": NaN}')
    path.with_suffix(".jsonl").write_text("\n".join(random.choices(values, k=4)))


def of_trainer(path: Path, random: Random) -> None:
    """A Trainer's state, or something of its name."""
    histories = ("[]", "7", "[1]", '[{"step": 10, "loss": 2}]', '[{"step": "x"}]', "[[[]]]", "null")
    (path.parent / "trainer_state.json").write_text(f'{{"log_history": {random.choice(histories)}}}')


TABLES = (cells, cells, headers, lines, encoded, as_json_lines, of_trainer)


def strange_file(folder: Path, random: Random) -> None:
    """In a checkpoint's place, or as one more, something that is no regular file, or empty, or another's."""
    name = random.choice((f"step-{random.choice(STEPS)}.safetensors", "step-80.safetensors", TABLE, "config.json"))
    _put_strange(folder / name, random)


def _put_strange(path: Path, random: Random) -> None:
    path.unlink(missing_ok=True)
    puts = (
        lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to(path.name),
        lambda: path.symlink_to("nothing"), path.mkdir, lambda: path.write_bytes(b""),
        lambda: path.symlink_to("../secret.npz"), lambda: path.symlink_to(".."),
        lambda: path.write_bytes(bytes(99)), lambda: path.symlink_to("/proc/self/mem"),
        lambda: path.symlink_to("/dev/tty"),
    )  # fmt: skip
    random.choice(puts)()


def odd_name(folder: Path, random: Random) -> None:
    """A checkpoint of a name that is none."""
    names = (*ODD_NAMES, os.fsdecode(b"step-99\xff\xfe"))
    (folder / f"step-{random.choice(STEPS)}.safetensors").rename(folder / f"{random.choice(names)}.safetensors")


def same_step(folder: Path, random: Random) -> None:
    """Two checkpoints of one step, or numbers that say two things."""
    source = folder / f"step-{random.choice(STEPS)}.safetensors"
    names = ("step-0010", "step_20", "epoch-3-step-40", "checkpoint-20", "model-v2", "final", "20", "step-1.5")
    shutil.copy(source, folder / f"{random.choice(names)}.safetensors")


def other_formats(folder: Path, random: Random) -> None:
    """Checkpoints of several formats in one folder, or in folders of their own."""
    kind = random.choice(("pt", "npz"))
    inner = folder / random.choice(("", "checkpoint-80", "checkpoint-90/model", "runs"))
    inner.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder.parent / kind / f"step-{random.choice(STEPS)}.{kind}", inner)


def gone(folder: Path, random: Random) -> None:
    """A folder without some, or any, of its files."""
    for path in sorted(folder.iterdir()):
        if random.random() < 0.5:
            path.unlink()


def index_says(folder: Path, random: Random) -> None:
    """A table of shards that are not there, lie elsewhere, or are the table itself."""
    name = "model.safetensors.index.json"
    maps = ('{"a": "nothing.safetensors"}', '{"a": "../secret.npz"}', f'{{"a": "{name}"}}', "7", "{}", '{"a": 7}',
            '{"fc1.weight": "step-10.safetensors"}', '{"fc1.weight": "/dev/zero"}')  # fmt: skip
    (folder / name).write_text(f'{{"weight_map": {random.choice(maps)}}}')


FOLDER = (strange_file, strange_file, odd_name, odd_name, same_step, other_formats, gone, index_says)


def beside(folder: Path, random: Random) -> None:
    """In the place of a spectra file, a lock, or a temporary, something that is no regular file."""
    names = (
        SPECTRA,
        f"{RUN}.lock",
        f"{SPECTRA}.lock",
        f".{RUN}.importing",
        f".{RUN}.aaaaaaaa.tmp",
        f"{RUN}.importing",
    )
    _put_strange(folder / random.choice(names), random)


def in_its_place(folder: Path, random: Random) -> None:
    """In the place of the run itself."""
    _put_strange(folder / RUN, random)


BESIDE = (beside, beside, in_its_place)
