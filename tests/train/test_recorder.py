"""The Recorder in plain PyTorch, and as a callback of the real libraries."""

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

import grokscope
from grokscope.errors import UsageError
from grokscope.runfile import Run, log_steps

# most models here are not trained: what a recorder says of that is looked at in test_recorder_model_changes
pytestmark = pytest.mark.filterwarnings(
    "ignore:grokscope. the weights at step .* are those of 2 checkpoints before"
)


def small_model() -> torch.nn.Sequential:
    """A convolution, a normalisation and two linear layers, one without bias."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(12, 5),
        torch.nn.Linear(5, 2, bias=False),
    )  # fmt: skip


def test_a_twenty_line_script_records_a_run_that_the_commands_open(tmp_path: Path, grokscope_here: Any) -> None:
    script = textwrap.dedent("""
        import torch
        import grokscope

        torch.manual_seed(0)
        x = torch.randn(64, 8)
        y = (x.sum(1) > 0).long()
        model = torch.nn.Sequential(torch.nn.Linear(8, 40), torch.nn.ReLU(), torch.nn.Linear(40, 30))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

        with grokscope.Recorder("run.h5", model) as recorder:
            for step in range(120):
                accuracy = (model(x).argmax(1) == y).float().mean()
                recorder.step(step, train_accuracy=accuracy, test_accuracy=0.5)
                loss = torch.nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    """)
    (tmp_path / "script.py").write_text(script)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True, timeout=100)
    run = Run.open(tmp_path / "run.h5")
    assert run.complete
    assert run.steps.tolist() == log_steps(119, 20).tolist()
    assert run.metrics()["train_accuracy"][-1] > run.metrics()["train_accuracy"][0]
    assert np.all(run.metrics()["test_accuracy"] == 0.5)
    few = ("-j", "1", "--permutations", "2", "--null-draws", "100")
    for command in (["info"], ["check"], ["analyze", *few], ["show"]):
        result = grokscope_here(*command, tmp_path / "run.h5")
        assert result.exit_code == 0, result.stderr


def test_weights_and_biases_are_those_at_the_step(tmp_path: Path) -> None:
    model = small_model().double()
    kept = {}
    with grokscope.Recorder(tmp_path / "run.h5", model, store_dtype="float64") as recorder:
        for step in range(30):
            with torch.no_grad():
                model[3].weight += 0.1
            if recorder.step(step):
                kept[step] = model[3].weight.detach().numpy().copy()
    run = Run.open(tmp_path / "run.h5")
    assert [(layer.name, layer.kind, layer.bias) for layer in run.layers] == [
        ("0", "conv", True), ("3", "linear", True), ("4", "linear", False)
    ]  # fmt: skip
    for index, step in enumerate(run.steps[:-1]):
        np.testing.assert_array_equal(run.weight(index, "3"), kept[int(step)])
    np.testing.assert_array_equal(run.bias(0, "0"), model[0].bias.detach().numpy())


def test_steps_that_skip_are_recorded_as_they_were(tmp_path: Path) -> None:
    """A loop that reports once an epoch gets a checkpoint at the first report after each one that was due."""
    with grokscope.Recorder(tmp_path / "run.h5", small_model(), checkpoints_per_decade=3) as recorder:
        recorded = [step for step in range(0, 5000, 250) if recorder.step(step)]
    run = Run.open(tmp_path / "run.h5")
    assert recorded == [0, 250, 500, 1000, 2250, 4750]
    assert run.steps.tolist() == recorded
    for index in range(run.num_checkpoints):
        run.verify(index)


def test_a_run_of_unknown_length_outgrows_its_file(tmp_path: Path) -> None:
    with grokscope.Recorder(tmp_path / "run.h5", small_model(), checkpoints_per_decade=2) as recorder:
        for step in [0, 5, 9_999, 10_000, 50_000, 2_000_000, 2_000_001]:
            recorder.step(step, train_loss=step)
    run = Run.open(tmp_path / "run.h5")
    assert run.steps.tolist() == [0, 5, 9_999, 10_000, 50_000, 2_000_000, 2_000_001]
    assert run.metrics()["train_loss"].tolist() == run.steps.tolist()
    assert run.liveness().state == "finished"


def interrupted_recording(path: Path, model: torch.nn.Module) -> None:
    """Record 57 steps and leave by an exception."""
    with grokscope.Recorder(path, model) as recorder:
        for step in range(57):
            recorder.step(step)
        raise KeyboardInterrupt


def test_a_recorder_resumes_after_its_last_checkpoint(tmp_path: Path) -> None:
    model, path = small_model(), tmp_path / "run.h5"
    with pytest.raises(KeyboardInterrupt):
        interrupted_recording(path, model)
    assert Run.open(path).liveness().state == "interrupted"
    with grokscope.Recorder(path, model, resume=True) as recorder:
        with pytest.warns(RuntimeWarning, match="up to step 56 already; training goes on at step 40"):
            recorder.step(40)  # a loop resumes from its own, older state
        for step in range(41, 100):
            recorder.step(step)
    assert Run.open(path).steps.tolist() == sorted({*log_steps(99, 20).tolist(), 56})


def test_an_existing_file_and_a_model_without_layers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "run.h5").write_text("something else")
    with pytest.raises(UsageError, match="overwrite"):
        grokscope.Recorder(tmp_path / "run.h5", small_model())
    with pytest.raises(UsageError, match="no float tensor of two or more axes"):
        grokscope.Recorder(tmp_path / "new.h5", torch.nn.ReLU())


def test_a_metric_is_computed_only_when_a_checkpoint_is_due(tmp_path: Path) -> None:
    calls = []
    with grokscope.Recorder(tmp_path / "run.h5", small_model(), checkpoints_per_decade=1) as recorder:
        for step in range(101):
            recorder.step(step, test_accuracy=lambda: len(calls.append(1) or calls) / 10)
    assert len(calls) == 4  # steps 0, 1, 10 and 100
    assert Run.open(tmp_path / "run.h5").metrics()["test_accuracy"].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_between_checkpoints_nothing_is_computed_or_recorded(tmp_path: Path) -> None:
    asked = []

    def train_loss() -> float:
        asked.append("train_loss")
        return 0.1

    with grokscope.Recorder(tmp_path / "run.h5", small_model(), metrics=["train_loss"]) as recorder:
        recorder.step(0)
        recorder.step(100_000)
        assert not any(recorder.step(step, train_loss=train_loss) for step in range(100_001, 110_001))
        assert asked == []
        assert Run(tmp_path / "run.h5").steps.tolist() == [0, 100_000]


def test_a_full_disk_ends_the_recording_and_not_the_training(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import resource, torch, grokscope, warnings
        model = torch.nn.Linear(50, 50)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with grokscope.Recorder("run.h5", model) as recorder:
                recorder.step(0)
                resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
                for step in range(1, 50):
                    recorder.step(step)
        print(len(caught), caught[0].message)
    """)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("1 grokscope: a checkpoint was not recorded: no room for")
    assert Run.open(tmp_path / "run.h5").steps.tolist() == [0]


def test_importing_the_recorder_does_not_import_torch() -> None:
    program = "import grokscope, sys; grokscope.Recorder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_the_lightning_callback_records_what_the_module_logs(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from grokscope.integrations.lightning import GrokscopeCallback

    class Regression(lightning.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            loss = (self.layer(batch[0]) - 1).square().mean()
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(40, 4)), batch_size=4)
    model = Regression()
    callback = GrokscopeCallback(tmp_path / "run.h5", names={"loss": "train_loss"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[callback],
        ).fit(model, data)  # fmt: skip
    run = Run.open(tmp_path / "run.h5")
    assert run.steps.tolist() == log_steps(40, 20).tolist()
    losses = run.metrics()["train_loss"]
    assert np.isnan(losses[0])
    assert losses[-1] < losses[1]
    np.testing.assert_array_equal(
        run.weight(run.num_checkpoints - 1, "layer"), model.layer.weight.detach().numpy()
    )


def test_the_hugging_face_callback_records_what_the_trainer_logs(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from grokscope.integrations.huggingface import GrokscopeCallback

    class Regression(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            output = self.layer(x)
            return {"loss": (output - labels).square().mean(), "logits": output}

    data = [{"x": torch.randn(4), "labels": torch.ones(3)} for _ in range(40)]
    model = Regression()
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=30, per_device_train_batch_size=4, logging_steps=1,
        use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, learning_rate=0.1,
    )  # fmt: skip
    transformers.Trainer(
        model=model, args=arguments, train_dataset=data, callbacks=[GrokscopeCallback(tmp_path / "run.h5")]
    ).train()
    run = Run.open(tmp_path / "run.h5")
    assert run.complete
    assert run.steps.tolist() == log_steps(30, 20).tolist()
    losses = run.metrics()["train_loss"]
    assert losses[-1] < losses[np.isfinite(losses)][0]
    np.testing.assert_array_equal(
        run.weight(run.num_checkpoints - 1, "layer"), model.layer.weight.detach().numpy()
    )
