"""Changes that HDF5 itself makes to a run or a spectra file: other layouts, links, types, sizes and names."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.fuzz.material import SECRET

BAD_NAME = "x\x1b[2J\u202e\n"
VALUES = (
    0,
    -1,
    2**40,
    1e308,
    float("nan"),
    "",
    "\x1b]0;owned\x07",
    "x" * 4000,
    "[]",
    "null",
    '{"a": NaN}',
    [1, 2],
)


def _datasets(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _anew(file: h5py.File, name: str, **options: Any) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, **options).attrs.update(attributes)


def recompressed(path: Path, random: Random) -> None:
    """What `h5repack -f GZIP=6` does to a dataset."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        _anew(file, name, data=file[name][...], compression=random.choice(("gzip", "lzf")))


def rechunked(path: Path, random: Random) -> None:
    """A dataset in pieces, some of them not written."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        data = file[name][...]
        _anew(
            file, name, data=data, chunks=tuple(max(n // 2, 1) for n in data.shape), maxshape=(None,) * data.ndim
        )


def other_dtype(path: Path, random: Random) -> None:
    """A dataset of another type."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        dtype = random.choice((">f8", "f2", "i1", "u8", "S4", "c16", "O", [("a", "f4"), ("b", "i2")], "bool"))
        shape = file[name].shape
        if dtype == "O":
            _anew(file, name, shape=shape, dtype=h5py.string_dtype())
        else:
            _anew(file, name, data=np.zeros(shape, dtype))


def other_shape(path: Path, random: Random) -> None:
    """A dataset that is longer, shorter, empty, or of other axes."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        shape, dtype = file[name].shape, file[name].dtype
        shapes = [(), (0,), shape[:-1], (*shape, 2), tuple(n + 1 for n in shape), (shape[0] - 1, *shape[1:])]
        _anew(file, name, data=np.zeros(random.choice(shapes), dtype))


def oversized(path: Path, random: Random) -> None:
    """A few bytes that stand for gigabytes."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        shape, dtype = file[name].shape, file[name].dtype
        long = (10**9, *shape[1:]) if random.random() < 0.5 else (*shape[:-1], 10**9)
        chunks = tuple(min(n, 64) for n in long) if random.random() < 0.5 else None
        _anew(file, name, shape=long, dtype=dtype, chunks=chunks)


def linked(path: Path, random: Random) -> None:
    """A link in the place of a dataset: to another place, another file, nothing, or itself."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        other = random.choice(_datasets(file))
        links = (h5py.SoftLink(f"/{other}"), h5py.SoftLink(f"/{name}"), h5py.SoftLink("/nothing"), file[other],
                 h5py.ExternalLink("../secret.h5", "/secret"), file["/"])  # fmt: skip
        link = random.choice(links)
        del file[name]
        file[name] = link


def elsewhere(path: Path, random: Random) -> None:
    """A dataset whose bytes lie in another file."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        shape, dtype = file[name].shape, file[name].dtype
        if random.random() < 0.5:
            size = int(np.prod(shape)) * dtype.itemsize
            _anew(file, name, shape=shape, dtype=dtype, external=[("../secret.h5", 0, size)])
            return
        layout = h5py.VirtualLayout(shape, dtype)
        layout[...] = h5py.VirtualSource("../secret.h5", "secret", shape)
        del file[name]
        file.create_virtual_dataset(name, layout)


def missing(path: Path, random: Random) -> None:
    """A dataset or a group that is not there."""
    with h5py.File(path, "r+") as file:
        name = random.choice(_datasets(file))
        del file[random.choice((name, name.rpartition("/")[0] or name))]


def more(path: Path, random: Random) -> None:
    """A dataset more, with a name that is none of ours."""
    with h5py.File(path, "r+") as file:
        parent = random.choice((*_datasets(file), "x")).rpartition("/")[0]
        file[f"{parent}/{random.choice(('more', BAD_NAME, 'x' * 300, 'é'))}"] = np.arange(3.0)


def renamed(path: Path, random: Random) -> None:
    """A layer or a dataset of another name."""
    with h5py.File(path, "r+") as file:
        name = random.choice((*_datasets(file), "layers/fc1", "layers/fc2"))
        file.move(name, f"{name.rpartition('/')[0]}/{random.choice(('other', BAD_NAME, 'y' * 250))}")


def attributes(path: Path, random: Random) -> None:
    """An attribute that is missing or has another value."""
    with h5py.File(path, "r+") as file:
        group = file[random.choice(("/", "/", "layers/fc1", "layers/fc3"))]
        name = random.choice(list(group.attrs) or ["order"])
        group.attrs.pop(name, None)
        if random.random() < 0.8:
            group.attrs[name] = random.choice(VALUES)


def no_numbers(path: Path, random: Random) -> None:
    """NaN, infinities and giants among the numbers."""
    with h5py.File(path, "r+") as file:
        name = random.choice([name for name in _datasets(file) if file[name].dtype.kind == "f"])
        data = file[name][...]
        data.flat[random.randrange(data.size)] = random.choice((np.nan, np.inf, -np.inf, np.finfo(data.dtype).max))
        file[name][...] = data


def other_steps(path: Path, random: Random) -> None:
    """Steps or a plan that are out of order, negative, enormous, or all alike."""
    with h5py.File(path, "r+") as file:
        dataset = file[random.choice(("planned_steps", "steps") if "steps" in file else ("planned_steps",))]
        steps = dataset[...]
        at = random.randrange(len(steps))
        choices = (steps[::-1], np.roll(steps, 1), np.full_like(steps, 3), steps * 10**15, -steps - 5)
        changed = random.choice((*choices, np.where(np.arange(len(steps)) == at, -1, steps)))
        dataset[...] = changed


def make_secret(path: Path) -> None:
    """A file that no link may lead to."""
    with h5py.File(path, "w") as file:
        file["secret"] = np.full(10_000, SECRET)


HDF5 = (
    recompressed, rechunked, other_dtype, other_shape, oversized, linked, elsewhere, missing, more, renamed,
    attributes, no_numbers, other_steps,
)  # fmt: skip
