"""Nothing in a run file is followed out of it, and no description is believed that goes beyond it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from grokscope.errors import BadRunFile
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import check
from grokscope.runfile.own_bytes import LARGEST_PIECE
from tests.runfile.conftest import WEIGHT


def soft_link(file: h5py.File) -> None:
    """A name that stands for another one of the file."""
    file["layers/fc3"] = h5py.SoftLink("/layers/fc1")


def link_loop(file: h5py.File) -> None:
    """Two names that stand for each other."""
    file["layers/fc3"] = h5py.SoftLink("/layers/fc4")
    file["layers/fc4"] = h5py.SoftLink("/layers/fc3")


def external_link(file: h5py.File) -> None:
    """Weights of another file."""
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink("other.h5", WEIGHT)


def external_storage(file: h5py.File) -> None:
    """A dataset whose bytes are those of any file."""
    del file[WEIGHT]
    file.create_dataset(WEIGHT, (5, 6, 9), "f4", external=[("secret", 0, 5 * 6 * 9 * 4)])


def virtual(file: h5py.File) -> None:
    """A dataset that is put together from others."""
    layout = h5py.VirtualLayout((5, 6, 9), "f4")
    layout[...] = h5py.VirtualSource("other.h5", WEIGHT, (5, 6, 9))
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def references(file: h5py.File) -> None:
    """Steps that are pointers."""
    del file["heartbeat"]
    file.create_dataset("heartbeat", data=[file["steps"].ref] * 4, dtype=h5py.ref_dtype)


def texts(file: h5py.File) -> None:
    """Numbers that are texts of any length."""
    del file["metrics/train_accuracy"]
    file.create_dataset("metrics/train_accuracy", data=["1"] * 5, dtype=h5py.string_dtype())


@pytest.mark.parametrize(
    "lead_out", [soft_link, link_loop, external_link, external_storage, virtual, references, texts]
)
def test_nothing_that_leads_out_of_a_run_file_is_followed(path: Path, lead_out: Callable[[Any], None]) -> None:
    other, secret = shutil.copy(path, path.with_name("other.h5")), path.with_name("secret")
    secret.write_bytes(bytes(5 * 6 * 9 * 4))
    with h5py.File(path, "r+") as file:
        lead_out(file)
    kept = [file.read_bytes() for file in (path, Path(other), secret)]
    for take in (Run, RunWriter.reopen, check):
        with pytest.raises(BadRunFile, match="no run file as grokscope writes it"):
            take(path)
    assert [file.read_bytes() for file in (path, Path(other), secret)] == kept


HUGE = LARGEST_PIECE  # entries: eight times the bytes that are read at once


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("steps", (HUGE,), {"compression": "gzip", "chunks": (2**20,)}),
        ("metrics/train_accuracy", (HUGE,), {"chunks": (2**20,)}),
        ("layers/fc1/weight", (5, HUGE), {"chunks": (1, 2**20)}),
        ("layers/fc1/weight", (HUGE, 6, 9), {"chunks": (2**20, 6, 9)}),
        ("heartbeat", (HUGE,), {}),
    ],
)
def test_a_few_bytes_that_stand_for_gigabytes_are_never_read(
    path: Path, name: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    with h5py.File(path, "r+") as file:
        dtype = file[name].dtype
        del file[name]
        file.create_dataset(name, shape, dtype, **options)
    assert path.stat().st_size < 10**6
    with pytest.raises(BadRunFile, match=f"{name} would be far larger in memory"):
        Run(path)


@pytest.mark.parametrize("what", ["shape", "place"])
def test_a_description_that_goes_on_beyond_the_file_is_not_believed(path: Path, what: str) -> None:
    with h5py.File(path, "r") as file:
        place = file[WEIGHT].id.get_offset()
    content, end = path.read_bytes(), path.stat().st_size
    words = {"shape": ([5, 6, 9], [5, 6, 2**40]), "place": ([place], [end - 100])}
    right, wrong = (np.array(numbers, "<u8").tobytes() for numbers in words[what])
    assert right in content
    path.write_bytes(content.replace(right, wrong))
    with pytest.raises(BadRunFile, match=f"{WEIGHT} (would go on beyond the end|cannot be opened)"):
        Run(path)
