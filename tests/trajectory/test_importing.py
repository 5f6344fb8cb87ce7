"""A stranger's folder of checkpoints becomes a run file, or is refused in one sentence."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from grokscope.errors import GrokscopeError, RunLocked, UsageError
from grokscope.runfile import Run, RunWriter
from grokscope.runfile.check import inspect
from grokscope.trajectory import Checkpoints, Opening
from grokscope.trajectory.importing import write_run

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")


def import_folder(folder: Path, output: Path, *, metrics: Path | None = None, overwrite: bool = False) -> None:
    """Open a folder and write its run file."""
    write_run(Checkpoints(folder, Opening(metrics=metrics)), output, overwrite=overwrite)


def network(seed: int) -> torch.nn.Module:
    """A small network with a convolution, an embedding and batch normalisation."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(32, 10, bias=False)
    )


def save(folder: Path, step: int, kind: str) -> torch.nn.Module:
    """Save one checkpoint in one of the ways in which people do."""
    model = network(step)
    folder.mkdir(exist_ok=True)
    if kind == "safetensors":
        safetensors.save_file(model.state_dict(), folder / f"model_{step:06d}.safetensors")
    elif kind == "state dict":
        torch.save(model.state_dict(), folder / f"step-{step}.pt")
    else:
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, folder / f"epoch3-step={step}.pth")
    return model


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "nested"])
def test_checkpoints_come_in_with_their_steps(tmp_path: Path, kind: str) -> None:
    models = {step: save(tmp_path / "in", step, kind) for step in (100, 9, 25)}
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    run = Run(tmp_path / "run.h5")
    assert run.steps.tolist() == [9, 25, 100]
    assert [(layer.name, layer.shape, layer.kind) for layer in run.layers] == [
        ("0", (8, 3, 3, 3), "conv"),
        ("3", (10, 32), "linear"),
    ]
    assert np.array_equal(run.weight(2, "3"), models[100][3].weight.detach().numpy())
    assert np.array_equal(run.bias(0, "0"), models[9][0].bias.detach().numpy())
    assert inspect(run).problems == ()
    assert run.liveness().state == "static"


def test_metrics_come_with_the_checkpoints(tmp_path: Path) -> None:
    for step in (1, 2):
        save(tmp_path / "in", step, "state dict")
    (tmp_path / "in" / "metrics.csv").write_text("step,test_accuracy,note\n2,0.5,\n7,0.9,\n")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    metrics = Run(tmp_path / "run.h5").metrics()
    assert list(metrics) == ["test_accuracy"]
    assert np.isnan(metrics["test_accuracy"][0])
    assert metrics["test_accuracy"][1] == 0.5


def test_a_checkpoint_is_not_replaced_by_the_run_that_is_made_of_it(tmp_path: Path) -> None:
    save(tmp_path / "in", 1, "state dict")
    source = tmp_path / "in" / "step-1.pt"
    (tmp_path / "link").symlink_to(source)
    before = source.read_bytes()
    for path, output in ((tmp_path / "in", source), (source, source), (tmp_path / "in", tmp_path / "link")):
        with pytest.raises(UsageError, match="is one of the checkpoints itself; name another file"):
            import_folder(path, output, overwrite=True)
    assert source.read_bytes() == before


def test_what_is_no_file_is_not_replaced_by_a_run(tmp_path: Path) -> None:
    save(tmp_path / "in", 1, "state dict")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is a pipe; name a file"):
        import_folder(tmp_path / "in", tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


class Malicious:
    """An object that would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Ask the unpickler to call a function."""
        return (Path.touch, (Path("pwned"),))  # type: ignore[return-value]


def pickled_code(folder: Path) -> None:
    """A checkpoint that is a program."""
    folder.mkdir()
    torch.save({"weights": Malicious()}, folder / "step-1.pt")


def plain_pickle(folder: Path) -> None:
    """A pickle that torch did not write."""
    folder.mkdir()
    (folder / "step-1.pt").write_bytes(pickle.dumps({"a": Malicious()}))


def same_step_twice(folder: Path) -> None:
    """Two files of one step."""
    folder.mkdir()
    for name in ("a-7.pt", "b-07.pt"):
        torch.save({"fc.weight": torch.zeros(3, 2)}, folder / name)


def no_weights(folder: Path) -> None:
    """A state dict of scalars."""
    folder.mkdir()
    torch.save({"epoch": torch.tensor(3)}, folder / "step-1.pt")


def garbage(folder: Path) -> None:
    """A file that only has the right name."""
    folder.mkdir()
    (folder / "step-1.safetensors").write_bytes(b"not a tensor in sight")


def text(folder: Path) -> None:
    """A text file that is called a checkpoint."""
    folder.mkdir()
    (folder / "step-1.pt").write_text("hello world")


def checkpoint_bytes(kind: str, zipped: bool = True) -> bytes:
    """A whole checkpoint file."""
    state = {"fc.weight": torch.zeros(30, 20)}
    if kind == "safetensors":
        return bytes(safetensors.save(state))
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def archive_of_something_else() -> bytes:
    """A zip archive that is no checkpoint."""
    file = io.BytesIO()
    np.savez(file, weight=np.zeros(3))
    return file.getvalue()


def half_an_archive() -> bytes:
    """An archive with the names of PyTorch's, and nothing in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("version", "data.pkl", "constants.pkl"):
            archive.writestr(f"model/{name}", "3")
    return file.getvalue()


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("step-1.pt", b"", "is empty"),
        ("step-1.pt", b"hello", "begins with b'hello'"),
        ("step-1.pt", b"step 5", "begins with b'step 5'"),
        ("step-1.pt", LFS_POINTER, "git lfs pull"),
        ("step-1.pt", checkpoint_bytes("pt")[:-10], "breaks off"),
        ("step-1.pt", checkpoint_bytes("pt")[:10], "breaks off"),
        ("step-1.pth", checkpoint_bytes("pt", zipped=False)[:-10], "breaks off"),
        ("step-1.pth", checkpoint_bytes("pt", zipped=False)[:12], "breaks off"),
        ("step-1.pt", archive_of_something_else(), "holds no float tensor"),
        ("step-1.pt", half_an_archive(), "is damaged"),
        ("step-1.safetensors", b"", "is empty"),
        ("step-1.safetensors", LFS_POINTER, "git lfs pull"),
        ("step-1.safetensors", checkpoint_bytes("safetensors")[:20], "breaks off"),
        ("step-1.safetensors", checkpoint_bytes("safetensors")[:-10], "breaks off"),
    ],
)
def test_a_file_that_cannot_be_read_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says) as raised:
        import_folder(tmp_path, tmp_path / "run.h5")
    assert str(raised.value).startswith(f"{tmp_path / name} ")
    assert len(str(raised.value)) < len(str(tmp_path)) + 130


def complex_weights(folder: Path) -> None:
    """A layer of complex numbers, whose imaginary parts no run file holds."""
    folder.mkdir()
    torch.save({"fc.weight": torch.zeros(3, 2, dtype=torch.complex64)}, folder / "step-1.pt")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda folder: None, "does not exist"),
        (Path.mkdir, "holds no checkpoint"),
        (pickled_code, "holds no tensors"),
        (plain_pickle, "holds no tensors"),
        (same_step_twice, "tells them apart"),
        (no_weights, "holds no tensors"),
        (garbage, "no safetensors file"),
        (text, "no checkpoint of PyTorch, safetensors"),
        (complex_weights, r"no layer \(fc\.weight: not floats but complex64"),
    ],
)
def test_a_bad_folder_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: object, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path / "in")  # type: ignore[operator]
    with pytest.raises(GrokscopeError, match=says) as raised:
        import_folder(tmp_path / "in", tmp_path / "run.h5")
    assert "\n" not in str(raised.value)
    assert not Path("pwned").exists()
    assert not list(tmp_path.glob("*run.h5*"))


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "step,x\nsoon,2\n", "step,x\n1,two\n", "step,x\ninf,2\n", "step,x\n9,2\n"]
)
def test_bad_metrics_name_their_place(tmp_path: Path, content: str) -> None:
    save(tmp_path / "in", 1, "state dict")
    (tmp_path / "table.csv").write_text(content)
    with pytest.raises(UsageError, match=r"table\.csv"):
        import_folder(tmp_path / "in", tmp_path / "run.h5", metrics=tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("header", "name"),
    [("\ufeffstep,test_accuracy", "test_accuracy"), ("step, x", "x"), ("step,train/loss", "train_loss")],
)
def test_columns_of_metrics_are_named_as_spreadsheets_and_loggers_do(
    tmp_path: Path, header: str, name: str
) -> None:
    save(tmp_path / "in", 1, "state dict")
    (tmp_path / "in" / "metrics.csv").write_text(f"{header}\n1,0.5\n", encoding="utf-8")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    assert Run(tmp_path / "run.h5").metrics()[name].tolist() == [0.5]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "float32", "float64"])
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_every_dtype_keeps_its_values_and_its_bytes(tmp_path: Path, kind: str, dtype: str) -> None:
    weight = (torch.randn(9, 11, generator=torch.Generator().manual_seed(0)) * 20).to(getattr(torch, dtype))
    state = {"fc.weight": weight, "fc.bias": weight[:, 0].clone(), "wide.weight": torch.ones(2, 3)}
    (tmp_path / "in").mkdir()
    if kind == "pt":
        torch.save(state, tmp_path / "in" / "step-1.pt")
    else:
        safetensors.save_file(state, tmp_path / "in" / "step-1.safetensors")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    run = Run(tmp_path / "run.h5")
    assert np.array_equal(run.weight(0, "fc"), weight.double().numpy())
    assert np.array_equal(run.bias(0, "fc"), weight[:, 0].double().numpy())
    assert inspect(run).problems == ()
    with h5py.File(run.path) as file:
        assert file["layers/fc/weight"].dtype.itemsize == weight.element_size()
        assert file["layers/wide/weight"].dtype == np.float32
        assert file.attrs["format_version"] == (2 if "b" in dtype or "8" in dtype else 1)
    with RunWriter.reopen(run.path) as writer:  # the same layout is read back, and kept when the file is rewritten
        writer.extend([1, 2])
        with pytest.raises(UsageError, match="as codes") if run.format_version == 2 else contextlib.nullcontext():
            writer.commit(1, {"fc": np.ones((9, 11)), "wide": np.ones((2, 3))}, {"fc": np.ones(9)}, {})
    assert np.array_equal(Run(run.path).weight(0, "fc"), weight.double().numpy())


def test_an_import_keeps_a_few_layers_in_memory_and_never_a_checkpoint(tmp_path: Path) -> None:
    """Two files of sixteen bfloat16 layers of 2 MB: less than four of the layers, however many there are."""
    import tracemalloc

    layer = torch.zeros(1024, 1024, dtype=torch.bfloat16)
    for step in (1, 2):
        safetensors.save_file(
            {f"{k}.weight": layer.clone() for k in range(16)}, tmp_path / f"step{step}.safetensors"
        )
    tracemalloc.start()
    import_folder(tmp_path, tmp_path / "run.h5")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * 2 * layer.numel()


def test_what_is_left_out_is_kept_in_the_run_file(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(3, 2), "n.weight": torch.ones(3, 2, dtype=torch.int64)}, tmp_path / "m.pt")
    import_folder(tmp_path / "m.pt", tmp_path / "run.h5")
    (left_out,) = Run(tmp_path / "run.h5").left_out
    assert left_out == Checkpoints(tmp_path / "m.pt").left_out[0]
    assert "n.weight" in left_out.name
    assert "int64" in left_out.reason


def test_a_layer_that_begins_later_or_changes_its_shape_is_kept_from_there(tmp_path: Path) -> None:
    states = [
        {"a.weight": torch.ones(3, 2), "c.weight": torch.ones(4, 5)},
        {"a.weight": torch.ones(3, 2) * 2, "b.weight": torch.ones(6, 7), "c.weight": torch.ones(4, 6)},
    ]
    (tmp_path / "in").mkdir()
    for step, state in enumerate(states):
        torch.save({name: tensor.bfloat16() for name, tensor in state.items()}, tmp_path / "in" / f"step{step}.pt")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    for trajectory in (Checkpoints(tmp_path / "in"), Run(tmp_path / "run.h5")):
        assert [layer.name for layer in trajectory.layers] == ["a", "b", "c (4×6)", "c"]
        assert np.isnan(trajectory.weight(0, "b")).all()
        assert trajectory.weight(0, "b").shape == (6, 7)
        assert np.array_equal(trajectory.weight(1, "b"), np.ones((6, 7)))
        assert np.array_equal(trajectory.weight(0, "c"), np.ones((4, 5)))
        assert np.isnan(trajectory.weight(1, "c")).all()
        assert np.array_equal(trajectory.weight(1, "c (4×6)"), np.ones((4, 6)))


def test_a_run_that_is_being_written_is_not_replaced(tmp_path: Path) -> None:
    save(tmp_path / "in", 1, "state dict")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    before = (tmp_path / "run.h5").read_bytes()
    with RunWriter.reopen(tmp_path / "run.h5"), pytest.raises(RunLocked):
        import_folder(tmp_path / "in", tmp_path / "run.h5", overwrite=True)
    assert (tmp_path / "run.h5").read_bytes() == before


def test_a_folder_is_not_replaced_by_a_run(tmp_path: Path) -> None:
    save(tmp_path / "in", 1, "state dict")
    with pytest.raises(UsageError, match="is a folder"):
        import_folder(tmp_path / "in", tmp_path / "in", overwrite=True)


def test_an_existing_run_is_not_replaced_unasked(tmp_path: Path) -> None:
    save(tmp_path / "in", 1, "state dict")
    import_folder(tmp_path / "in", tmp_path / "run.h5")
    with pytest.raises(UsageError, match="--overwrite"):
        import_folder(tmp_path / "in", tmp_path / "run.h5")
    import_folder(tmp_path / "in", tmp_path / "run.h5", overwrite=True)
