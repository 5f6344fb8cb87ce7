"""A recorder for anybody's training loop: weights and metrics at log-spaced steps, into a run file."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import StorageError, UsageError
from grokscope.runfile import LayerSpec, RunWriter, log_steps

if TYPE_CHECKING:
    import torch

STANDARD_METRICS = ("train_accuracy", "test_accuracy", "train_loss", "test_loss")
FIRST_CAPACITY = 10_000  # steps planned for where the length is unknown; the file grows when they are passed
BEAT_SECONDS = 1.0
_KINDS = {"Linear": "linear", "Conv1D": "linear", "Embedding": "embedding"}


class Recorder:
    """Records a PyTorch module's weights and biases, and the metrics it is told, whenever a checkpoint is due.

        with grokscope.Recorder("run.h5", model) as recorder:
            for step in range(steps):
                ...
                recorder.step(step, train_accuracy=..., test_accuracy=...)

    Call `step` as often as you like: between checkpoints it costs a microsecond. Checkpoints are evenly spaced on
    a logarithmic axis, and the last step seen is always one. Every module with a weight of two or more axes is a
    layer. A metric may be a number, a tensor of one element, or a function without arguments that is called
    only when a checkpoint is due; accuracies are fractions from 0 to 1.

    Once training runs, nothing that the recorder meets stops it: a full disk ends the recording with a warning.
    """

    def __init__(
        self,
        path: str | Path,
        model: torch.nn.Module,
        *,
        steps: int | None = None,
        checkpoints_per_decade: int = 20,
        metrics: Sequence[str] = (),
        config: Mapping[str, object] | None = None,
        store_dtype: str = "float32",
        overwrite: bool = False,
        resume: bool = False,
    ) -> None:
        """Prepare to record `model` into `path`.

        `steps`, where known, saves rewriting the file as the run grows. `metrics` names those that the first
        call of `step` does not mention. `config` is kept in the file. With `resume` an existing file is
        continued after its last checkpoint. Raises UsageError where the file exists or nothing can be recorded.
        """
        self.path = Path(path)
        self._layers = recorded_layers(unwrapped(model))
        self._per_decade, self._metrics = checkpoints_per_decade, tuple(metrics)
        self._capacity = FIRST_CAPACITY if steps is None else steps
        self._config, self._store_dtype, self._overwrite = dict(config or {}), store_dtype, overwrite
        self._writer: RunWriter | None = None
        self._active, self._recorded, self._next, self._beat = True, -1, 0, 0.0
        self._seen: tuple[int, dict[str, Any]] = (-1, {})
        self._started = (0, time.monotonic())
        if resume and self.path.exists():
            self._continue(RunWriter.reopen(self.path))
        elif self.path.exists() and not overwrite:
            raise UsageError(f"{self.path} exists; give Recorder overwrite=True, or resume=True to continue it")
        elif not self.path.parent.is_dir():
            raise UsageError(f"there is no folder {self.path.parent} to put {self.path.name} in; make it first")

    def _continue(self, writer: RunWriter) -> None:
        if [layer.name for layer in writer.layers] != list(self._layers):
            writer.close()
            raise UsageError(f"{self.path} holds other layers than this model; record into a new file")
        self._writer = writer
        committed = writer.recorded_steps
        if len(committed):
            self._set_recorded(int(committed[-1]))

    def step(self, step: int, **metrics: Any) -> bool:
        """Tell that training has reached `step`; return whether a checkpoint was recorded."""
        if not self._active or step <= self._recorded:
            return False
        self._seen = (step, metrics)
        if step < self._next:
            self._beat_now_and_then(step)
            return False
        return self._record()

    def _record(self) -> bool:
        step, given = self._seen
        try:
            metrics = {name: _number(value) for name, value in given.items()}
            writer = self._writer or self._create(metrics)
            self._writer = writer
            index = len(writer.recorded_steps)
            if index >= len(writer.steps):
                writer.extend(log_steps(10 * max(step, FIRST_CAPACITY // 10), self._per_decade))
            self._warn_of_unknown(metrics, writer.metrics)
            weights = {name: layer.weight() for name, layer in self._layers.items()}
            biases = {name: layer.bias() for name, layer in self._layers.items() if layer.spec.bias}
            writer.commit(index, weights, biases, metrics, step=step)
        except StorageError as error:
            self._active = False
            warnings.warn(f"grokscope stopped recording: {error}", RuntimeWarning, stacklevel=3)
            return False
        self._set_recorded(step)
        return True

    def _create(self, metrics: Mapping[str, float]) -> RunWriter:
        return RunWriter.create(
            self.path,
            steps=log_steps(self._capacity, self._per_decade),
            layers=[layer.spec for layer in self._layers.values()],
            metrics=list(dict.fromkeys([*STANDARD_METRICS, *self._metrics, *metrics])),
            config=self._config,
            origin="grokscope.Recorder",
            store_dtype=self._store_dtype,
            overwrite=self._overwrite,
        )

    def _set_recorded(self, step: int) -> None:
        self._recorded, self._next = step, _next_due(step, self._per_decade)

    def _warn_of_unknown(self, metrics: Mapping[str, float], known: Sequence[str]) -> None:
        for name in metrics:
            if name not in known:
                warnings.warn(
                    f"metric {name!r} was not known when {self.path} was made and is not recorded; "
                    f"name it in Recorder(metrics=[{name!r}])",
                    RuntimeWarning,
                    stacklevel=4,
                )

    def _beat_now_and_then(self, step: int) -> None:
        now = time.monotonic()
        if self._writer is None or now - self._beat < BEAT_SECONDS:
            return
        first, since = self._started
        rate = (step - first) / (now - since) if self._beat else math.nan
        self._started, self._beat = (step, now), now
        self._writer.heartbeat(step, rate)

    def close(self, state: str = "finished") -> None:
        """Record the last step seen, cut the file to what was recorded, and close it; idempotent."""
        if self._active and self._seen[0] > self._recorded:
            self._record()
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            if self._active:
                if len(writer.recorded_steps) < len(writer.steps):
                    writer.extend([])
                writer.heartbeat(self._recorded, math.nan, state)
        finally:
            self._active = False
            writer.close()

    def __enter__(self) -> Recorder:
        """Return the recorder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; after an exception the run counts as interrupted."""
        self.close("finished" if error is None else "interrupted")


class RecordedLayer:
    """A module's weight [out, in, ...] and bias [out] as float32 or float64 arrays."""

    def __init__(self, name: str, module: Any) -> None:
        """Look at a module that has a weight of two or more axes."""
        shape = tuple(module.weight.shape)
        bias = getattr(module, "bias", None)
        outputs = None if bias is None else int(bias.shape[0])
        self._module = module
        # GPT-2's Conv1D keeps its weight as [in, out]
        self._transposed = type(module).__name__ == "Conv1D" and len(shape) == 2
        shape = shape[::-1] if self._transposed else shape
        self.spec = LayerSpec(name, shape, _kind(type(module).__name__), bias=outputs == shape[0])

    def weight(self) -> NDArray[Any]:
        """Return the weight as it is now."""
        weight = _array(self._module.weight)
        return weight.T if self._transposed else weight

    def bias(self) -> NDArray[Any]:
        """Return the bias as it is now."""
        return _array(self._module.bias)


def recorded_layers(model: torch.nn.Module) -> dict[str, RecordedLayer]:
    """Return every module with a weight of two or more axes, by its name in the model.

    Raises UsageError where there is none.
    """
    layers = {
        name or "layer": RecordedLayer(name or "layer", module)
        for name, module in model.named_modules()
        if len(getattr(getattr(module, "weight", None), "shape", ())) >= 2
    }
    if not layers:
        raise UsageError(f"{type(model).__name__} has no layer with a weight matrix to record")
    return layers


def unwrapped(model: Any) -> Any:
    """Return the module inside torch.compile's and the parallel wrappers'."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DataParallel", "DistributedDataParallel"):
            inner = model.module
        if inner is None:
            return model
        model = inner


def _next_due(step: int, per_decade: int) -> int:
    """Return the first checkpoint of the logarithmic schedule after `step`."""
    steps = log_steps(10 * max(step, 1), per_decade)
    return int(steps[steps > step][0])


def _kind(class_name: str) -> str:
    if class_name.startswith("Conv") and class_name != "Conv1D":
        return "conv"
    return _KINDS.get(class_name, "other")


def _array(tensor: Any) -> NDArray[Any]:
    """Copy a tensor to a numpy array, half precisions to float32."""
    values = tensor.detach()
    if values.element_size() < 4:
        values = values.float()
    return np.array(values.cpu().numpy())


def _number(value: Any) -> float:
    return float(value() if callable(value) else value)
