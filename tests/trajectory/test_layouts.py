"""The folders in which people's libraries leave checkpoints open as they are, and nothing is left out silently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grokscope.errors import UsageError
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints, Opening, contents, open_trajectory
from grokscope.trajectory.duplicates import duplicates, same_weights
from tests.train.forked import Forked

NOBODY = 65534


def safetensors(
    path: Path, value: float, shape: tuple[int, int] = (4, 3), written: bool = True, layer: str = "fc"
) -> None:
    """Write one layer, all of one value; unwritten, the file is a hole of the right size."""
    size = 4 * shape[0] * shape[1]
    header = json.dumps({f"{layer}.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        if written:
            file.write(np.full(shape, value, dtype="<f4").tobytes())
        else:
            file.truncate(8 + len(header) + size)


LAYOUTS = {
    "plain": ["step10k.safetensors", "step2M.safetensors"],
    "trainer": ["checkpoint-10000/model.safetensors", "checkpoint-2000000/model.safetensors"],
    "steps": ["step10000/model.safetensors", "step2000000-tokens4B/model.safetensors"],
    "lightning": [f"version_0/checkpoints/epoch={e}-step={s}.ckpt" for e, s in ((0, 10000), (7, 2000000))],
    "values": ["step=10000-val_loss=0.91.safetensors", "step=2000000-val_loss=0.08.safetensors"],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_opens_in_the_order_of_its_steps(tmp_path: Path, layout: str) -> None:
    for value, name in enumerate(LAYOUTS[layout]):
        safetensors(tmp_path / "in" / name, value)
    (tmp_path / "in" / "training_args.bin").write_bytes(b"\x80\x02.")
    trajectory = open_trajectory(tmp_path / "in")
    assert trajectory.steps.tolist() == [10_000, 2_000_000]
    assert [float(trajectory.weight(index, "fc")[0, 0]) for index in (0, 1)] == [0, 1]
    assert "10,000" in trajectory.notes[0]
    assert "2,000,000" in trajectory.notes[0]


def hub_cache(folder: Path) -> str:
    """A model with two revisions, as the hub's cache has them but for links."""
    cache = folder / "models--a--b"
    for value, (commit, ref) in enumerate({"c0ffee": "step1000", "beef": "step2000"}.items()):
        safetensors(cache / "snapshots" / commit / "model.safetensors", value)
        (cache / "refs").mkdir(exist_ok=True)
        (cache / "refs" / ref).write_text(commit)
    return str(cache)


def test_a_cache_of_the_hub_opens_by_its_revisions(tmp_path: Path) -> None:
    trajectory = open_trajectory(hub_cache(tmp_path))
    assert trajectory.steps.tolist() == [1000, 2000]
    assert float(trajectory.weight(1, "fc")[0, 0]) == 1


def test_copies_by_averaging_are_left_out_and_can_be_chosen(tmp_path: Path) -> None:
    for step in (1, 2):
        safetensors(tmp_path / f"model_{step}.safetensors", step)
        safetensors(tmp_path / f"ema_0.9999_{step}.safetensors", step + 10)
    assert float(Checkpoints(tmp_path).weight(0, "fc")[0, 0]) == 1
    assert [out.name for out in Checkpoints(tmp_path).left_out] == [f"ema_0.9999_{s}.safetensors" for s in (1, 2)]
    assert float(Checkpoints(tmp_path, Opening(match="ema*")).weight(0, "fc")[0, 0]) == 11


def test_what_a_training_keeps_beside_its_checkpoints_is_passed_over(tmp_path: Path) -> None:
    """Optimizers, schedulers, scalers and random states, as their own files, hold tensors too."""
    for step in (10, 20):
        safetensors(tmp_path / f"model-{step}.safetensors", step)
        for name in ("optimizer", "optim_state", "scheduler", "scaler", "rng_state_0"):
            safetensors(tmp_path / f"{name}-{step}.safetensors", -1)
    trajectory = Checkpoints(tmp_path)
    assert trajectory.steps.tolist() == [10, 20]
    assert float(trajectory.weight(1, "fc")[0, 0]) == 20
    assert not trajectory.left_out


def test_what_is_called_as_the_checkpoints_are_is_never_passed_over_silently(tmp_path: Path) -> None:
    """A network called sampler, a link that leads nowhere, a folder that a killed training left empty."""
    for name in ("net_step_20", "net_step_30", "sampler_step_10", "optimizer_step_20"):
        safetensors(tmp_path / f"{name}.safetensors", 1)
    (tmp_path / "net_step_40.safetensors").symlink_to("/nonexistent")
    (tmp_path / "net_step_50").mkdir()
    (tmp_path / "plots").mkdir()
    assert {out.name: out.reason.partition(",")[0] for out in Checkpoints(tmp_path).left_out} == {
        "sampler_step_10.safetensors": "called as what a training keeps beside its weights",
        "net_step_40.safetensors": "no regular file",
        "net_step_50": "a folder without the weights of one model",
    }
    for name in ("net_step_20", "net_step_30"):
        (tmp_path / f"{name}.safetensors").unlink()
    with pytest.raises(UsageError, match=r"what there is, .*_step_.*; rename or give it alone"):
        Checkpoints(tmp_path)


def test_a_folder_that_may_not_be_entered_is_no_checkpoint_and_said_to_be_closed() -> None:
    """As lost+found, which every file system has."""
    with tempfile.TemporaryDirectory() as folder:  # not in pytest's, which nobody else may enter
        for step in (1, 2):
            safetensors(Path(folder) / f"step{step}.safetensors", step)
        for closed in ("lost+found", "step3"):
            (Path(folder) / closed).mkdir(mode=0)
        (Path(folder) / "step4.safetensors").symlink_to("lost+found/step4.safetensors")

        def look() -> int:
            if os.geteuid() == 0:
                os.setuid(NOBODY)  # root may look anywhere
            assert [out.name for out in Checkpoints(Path(folder)).left_out] == ["step3", "step4.safetensors"]
            with pytest.raises(UsageError, match=r"lost\+found/model.h5 cannot be read: Permission denied"):
                open_trajectory(Path(folder) / "lost+found" / "model.h5")
            return 0

        Path(folder).chmod(0o755)
        assert Forked(look).wait() == 0


def test_the_one_file_of_a_models_folder_is_not_said_to_be_left_out(tmp_path: Path) -> None:
    safetensors(tmp_path / "tiny" / "model.safetensors", 1)
    safetensors(tmp_path / "tiny" / "extra.safetensors", 2)
    opened = Checkpoints(tmp_path / "tiny")
    assert [out.name for out in opened.left_out] == ["extra.safetensors"]


def pytorch(path: Path, value: float) -> None:
    """A file of PyTorch's."""
    torch = pytest.importorskip("torch")
    torch.save({"fc.weight": torch.full((4, 3), float(value))}, path)


@pytest.mark.parametrize(("save", "suffix"), [(safetensors, "safetensors"), (pytorch, "pt")])
def test_a_damaged_checkpoint_is_left_out_by_name_until_it_is_whole(
    tmp_path: Path, save: Callable[[Path, float], None], suffix: str
) -> None:
    for step in (1, 2, 3):
        save(tmp_path / f"step{step}.{suffix}", step)
    whole = (tmp_path / f"step2.{suffix}").read_bytes()
    (tmp_path / f"step2.{suffix}").write_bytes(whole[:100])
    trajectory = Checkpoints(tmp_path)
    assert trajectory.steps.tolist() == [1, 3]
    assert [out.name for out in trajectory.left_out] == ["step2"]
    assert not trajectory.refresh()
    (tmp_path / f"step2.{suffix}").write_bytes(whole)
    assert trajectory.refresh()
    assert trajectory.steps.tolist() == [1, 2, 3]
    assert not trajectory.refresh()


def test_a_second_look_opens_no_file_that_has_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        pytorch(tmp_path / f"step{step}.pt", step)
    trajectory = Checkpoints(tmp_path)
    for reads in ("read_many", "read_tensors"):
        monkeypatch.setattr(contents, reads, lambda path: pytest.fail(f"{path} is read"))
    assert not trajectory.refresh()


@pytest.mark.parametrize("indexed", [True, False])
def test_a_checkpoint_whose_shards_come_one_by_one_is_read_when_all_are_there(
    tmp_path: Path, indexed: bool
) -> None:
    shards = {layer: f"model-{number:05d}-of-00002.safetensors" for number, layer in enumerate(("fc1", "fc2"), 1)}
    for step in (1, 2):
        folder = tmp_path / f"checkpoint-{step}"
        for layer, shard in shards.items():
            safetensors(folder / shard, step, layer=layer)
        if indexed:
            index = {"weight_map": {f"{layer}.weight": shard for layer, shard in shards.items()}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    last = (folder / shards["fc2"]).rename(tmp_path / ".late")
    trajectory = Checkpoints(tmp_path)
    assert [out.name for out in trajectory.left_out] == ["checkpoint-2"]
    assert not trajectory.refresh()
    last.rename(folder / shards["fc2"])
    assert trajectory.refresh()
    assert trajectory.steps.tolist() == [1, 2]
    assert [layer.name for layer in trajectory.layers] == ["fc1", "fc2"]


def test_folders_and_files_of_checkpoints_side_by_side_are_refused(tmp_path: Path) -> None:
    safetensors(tmp_path / "step1.safetensors", 1)
    safetensors(tmp_path / "checkpoint-5" / "model.safetensors", 1)
    with pytest.raises(UsageError, match="--match"):
        Checkpoints(tmp_path)


def test_equal_checkpoints_are_named_and_a_new_one_is_seen(tmp_path: Path) -> None:
    for step, value in ((1, 5), (2, 6), (3, 5)):
        safetensors(tmp_path / f"step{step}.safetensors", value)
    trajectory = Checkpoints(tmp_path)
    assert duplicates(trajectory) == [(0, 2)]
    assert same_weights(trajectory) == ["the same weights at steps 1 and 3"]
    keys, uuid = trajectory.crc32s().tolist(), trajectory.uuid
    assert not trajectory.refresh()
    safetensors(tmp_path / "step4.safetensors", 9)
    safetensors(tmp_path / "step2.safetensors", 7)
    assert trajectory.refresh()
    assert (trajectory.num_checkpoints, trajectory.uuid) == (4, uuid)
    now = trajectory.crc32s().tolist()
    assert [now[0], now[2]] == [keys[0], keys[2]]
    assert now[1] != keys[1]


def test_the_layers_of_a_huge_model_are_told_without_reading_it(tmp_path: Path) -> None:
    safetensors(tmp_path / "huge.safetensors", 0, (60_000, 60_000), written=False)
    (layer,) = open_trajectory(tmp_path / "huge.safetensors").layers
    assert layer.shape == (60_000, 60_000)


def test_a_run_file_opens_as_one(trained_run: Path) -> None:
    assert isinstance(open_trajectory(trained_run), Run)


def test_commands_take_folders_and_models_without_torch(tmp_path: Path) -> None:
    for step in (1, 2):
        safetensors(tmp_path / "in" / f"step{step}.safetensors", step, (30, 20))
    cache, quick = hub_cache(tmp_path), ["--permutations", "2", "--null-draws", "100"]
    program = "import sys; sys.modules['torch'] = None; from grokscope.cli.main import main; main()"
    for words in (
        ["analyze", "in", "-j", "1", *quick], ["analyze", "in/step1.safetensors", "-j", "1", *quick],
        ["analyze", cache, "-j", "1", *quick], ["view", "in/step1.safetensors", "--screenshot", "x.svg"],
        ["view", cache, "--screenshot", "x.svg"],
        ["info", "in"], ["show", "in"], ["report", "in"], ["export", "in"], ["import", "in", "-o", "run.h5"],
        ["view", "in", "--screenshot", "x.svg"], ["info", "in/step1.safetensors"],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (words, done.stderr)
