"""One damaged checkpoint, or one that changes while others are measured, costs that one and no other."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from grokscope.errors import UsageError
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints, content_crc, find_damaged, open_trajectory

NAMED = "step_20.pt is damaged"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three checkpoints, the second with one bit flipped in its first weight."""
    folder = tmp_path / "in"
    folder.mkdir()
    torch.manual_seed(0)
    for step in (10, 20, 30):
        state = {"a.weight": torch.randn(24, 20), "a.bias": torch.randn(24), "b.weight": torch.randn(20, 24)}
        torch.save(state, folder / f"step_{step}.pt")
    flip(folder / "step_20.pt", "a.weight")
    return folder


def flip(path: Path, name: str) -> None:
    """Flip one bit of a tensor."""
    tensor, content = torch.load(path)[name].numpy().tobytes(), bytearray(path.read_bytes())
    content[content.index(tensor) + 10] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("analyze in -j 1 --permutations 1 --null-draws 100", 1, True),
        ("import in -o run.h5", 1, True),
        ("show in --step 20", 2, True),
        ("show in --step 10", 0, False),
        ("report in", 0, True),
        ("export in", 0, True),
        ("info in", 0, False),
        ("view in --screenshot x.svg", 0, False),
    ],
)
def test_every_command_goes_on_without_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    grokscope_here: Callable[..., Result],
    words: str,
    code: int,
    named: bool,
) -> None:
    monkeypatch.chdir(folder.parent)
    done = grokscope_here(*words.split())
    assert (done.exit_code, NAMED in done.stderr) == (code, named), done.stderr


def test_a_bias_is_compared_as_well(folder: Path) -> None:
    flip(folder / "step_30.pt", "a.bias")
    assert list(find_damaged(open_trajectory(folder))) == [1, 2]


def test_a_whole_checkpoint_is_read_again_only_when_it_has_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "step_20.pt"
    damaged, whole = path.read_bytes(), (folder / "step_10.pt").read_bytes()
    path.write_bytes(whole)
    monkeypatch.setattr(time, "time_ns", lambda: path.stat().st_ctime_ns + 3 * content_crc.TICK_NS)
    assert not find_damaged(open_trajectory(folder))
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "stored_weight", lambda *_: pytest.fail("it is read"))
        assert not find_damaged(open_trajectory(folder))
    path.write_bytes(damaged)
    assert list(find_damaged(open_trajectory(folder))) == [1]


def test_an_import_keeps_the_others_and_says_which_is_missing(
    folder: Path, grokscope_here: Callable[..., Result]
) -> None:
    output = folder.parent / "run.h5"
    grokscope_here("import", folder, "-o", output)
    run = Run(output)
    assert run.steps.tolist() == [10, 30]
    assert [out.name for out in run.left_out] == ["step 20"]
    assert run.weight(1, "b").tobytes() == torch.load(folder / "step_30.pt")["b.weight"].numpy().tobytes()


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_worker_measures_what_it_was_sent_for_or_nothing(folder: Path, gone: int) -> None:
    """An index means another checkpoint once one before it is gone; the worker says so when it is asked."""
    opened = open_trajectory(folder)
    sent, weight = pickle.dumps(opened), opened.weight(2, "a").tobytes()
    for path in sorted(folder.iterdir())[:gone]:
        path.rename(folder.parent / path.name)
    arrived = pickle.loads(pickle.dumps(pickle.loads(sent)))
    with pytest.raises(UsageError) if gone else contextlib.nullcontext():
        assert arrived.weight(0 if gone else 2, "a").tobytes() == weight
