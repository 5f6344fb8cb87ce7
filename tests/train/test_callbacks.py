"""The callbacks of training libraries: each checkpoint has its own step's weights and metrics."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grokscope.runfile import Run


class Regression(torch.nn.Module):
    """A linear layer whose evaluation becomes worse with every step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        output = self.layer(x)
        loss = (output - labels).square().mean()
        return {"loss": loss if self.training else self.layer.weight.square().sum(), "logits": output}


def test_hugging_face_keeps_the_last_steps_weights_where_the_best_are_loaded(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from grokscope.integrations.huggingface import GrokscopeCallback

    torch.manual_seed(0)  # by chance the weights may shrink at first
    data = [{"x": torch.randn(4), "labels": torch.full((3,), 9.0)} for _ in range(40)]
    model, norms = Regression(), {}

    class Norms(transformers.TrainerCallback):  # type: ignore[name-defined, misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            norms[state.global_step] = float(model.layer.weight.detach().norm())

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=30, per_device_train_batch_size=4, logging_steps=5,
        eval_strategy="steps", eval_steps=10, save_steps=10, load_best_model_at_end=True, use_cpu=True,
        report_to="none", disable_tqdm=True, learning_rate=0.1,
    )  # fmt: skip
    transformers.Trainer(
        model=model, args=arguments, train_dataset=data, eval_dataset=data[:4],
        callbacks=[Norms(), GrokscopeCallback(tmp_path / "run.h5")],
    ).train()  # fmt: skip
    run = Run(tmp_path / "run.h5")
    assert run.steps[-1] == 30
    assert float(model.layer.weight.detach().norm()) == pytest.approx(norms[10])
    for index, step in enumerate(run.steps[1:], start=1):
        assert float(np.linalg.norm(run.weight(index, "layer"))) == pytest.approx(norms[int(step)], rel=1e-5)
        run.verify(index)
    metrics = run.metrics()
    steps = run.steps
    assert np.isfinite(metrics["test_loss"]).tolist() == [step in (10, 20, 30) for step in steps]
    assert np.isfinite(metrics["train_loss"]).tolist() == [step > 0 and step % 5 == 0 for step in steps]
    assert {"learning_rate", "grad_norm", "epoch", "eval_runtime"} <= set(run.metric_names)


def test_lightning_records_every_logged_number_at_its_own_step(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from grokscope.integrations.lightning import GrokscopeCallback

    class Logging(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            self.log("my/step", float(self.global_step))
            return (self.layer(batch[0]) - 1).square().mean()

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_step", float(self.global_step))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(40, 4)), batch_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=1, callbacks=[GrokscopeCallback(tmp_path / "run.h5")],
        ).fit(Logging(), data, data)  # fmt: skip
    run = Run(tmp_path / "run.h5")
    steps, metrics = run.steps, run.metrics()
    assert steps[-1] == 40
    np.testing.assert_array_equal(metrics["my.step"][1:], steps[1:] - 1)
    np.testing.assert_array_equal(metrics["val_step"], np.where((steps % 10 == 0) & (steps > 0), steps, np.nan))


@pytest.mark.parametrize("version", [pytest.param(1, marks=pytest.mark.torture), 2])
def test_two_processes_that_shard_a_model_both_end_and_record_it_whole(tmp_path: Path, version: int) -> None:
    """FSDP 1 and 2 on two processes; each step is gathered by both, and plain recorders refuse with a word."""
    program = textwrap.dedent("""
        import os, sys, torch, warnings, torch.distributed as dist, torch.multiprocessing as mp
        from grokscope.integrations.held import HeldCheckpoints
        from grokscope.recorder import Recorder

        def work(rank, folder, version):
            dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 4))
            if version == 1:
                from torch.distributed.fsdp import FullyShardedDataParallel
                model = FullyShardedDataParallel(model, device_id=torch.device("cpu"))
            else:
                from torch.distributed.device_mesh import init_device_mesh
                from torch.distributed.fsdp import fully_shard
                fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
            recorder = Recorder(f"{folder}/run.h5", model) if rank == 0 else None
            plain = Recorder(f"{folder}/plain{rank}.h5", model)
            held = HeldCheckpoints(recorder, model)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for step in range(12):
                    plain.step(step)
                    held.write()
                    if recorder and step == 6:
                        recorder.path.unlink()  # the first process records no more; the other is not left alone
                    model(torch.randn(5, 6)).square().mean().backward()
                    optimizer.step()
                    optimizer.zero_grad()
                    held.ended(step)
                    if step == 4 and recorder:
                        __import__("shutil").copy(recorder.path, f"{folder}/copy.h5")
                held.close()
            told = [str(one.message) for one in caught if "grokscope" in str(one.message)]
            assert len(told) == 1 + (rank == 0) and "sharded" in told[0], told
            dist.barrier()
            os.write(1, f"end {rank}\\n".encode())  # whole, beside the other
            os._exit(0)  # the library's own threads abort now and then where they are torn down

        if __name__ == "__main__":
            mp.spawn(work, args=(sys.argv[1], int(sys.argv[2])), nprocs=2)
    """)
    (tmp_path / "sharded.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "sharded.py", tmp_path, str(version)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["0", "1", "end", "end"]
    run = Run(tmp_path / "copy.h5")
    assert [(layer.name, layer.shape, layer.bias) for layer in run.layers] == [
        ("0", (8, 6), True),
        ("1", (4, 8), True),
    ]
    assert run.num_checkpoints >= 3
    assert np.ptp(run.weight(2, "0") - run.weight(0, "0")) > 0
