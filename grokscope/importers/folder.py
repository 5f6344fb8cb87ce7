"""A folder of checkpoint files with the step in each name → one run file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grokscope.errors import UsageError
from grokscope.importers.metrics_csv import read_metrics
from grokscope.importers.state_dict import SUFFIXES, StateDict, read_state_dict
from grokscope.runfile import LayerSpec, RunWriter
from grokscope.runfile.lock import WriterLock

LARGEST_STEP = 2**63 - 1
KINDS = {2: "linear", 3: "conv", 4: "conv", 5: "conv"}


def import_folder(
    folder: Path,
    output: Path,
    *,
    metrics: Path | None = None,
    overwrite: bool = False,
    on_checkpoint: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the checkpoints of a folder, ordered by step, into a new run file at `output`.

    A layer is a `NAME.weight` of two or more dimensions; its `NAME.bias` comes with it where it has a value for
    each entry of the weight's first axis. `metrics` is a CSV with a `step` column, and `metrics.csv` in the folder
    is found by itself. `on_checkpoint(done, total)` is called after each checkpoint. Raises UsageError where the
    folder holds nothing to import or its files disagree, RunLocked where `output` is being written.
    """
    files = checkpoint_files(folder)
    _refuse_existing(output, overwrite)
    table = read_metrics(path) if (path := metrics or _metrics_in(folder)) else {}
    if metrics and not table.keys() & files.keys():
        raise UsageError(f"{metrics} has no step of the checkpoints in {folder}; give the metrics of these steps")
    lock = WriterLock(output)
    unfinished = output.with_name(f".{output.name}.importing")
    try:
        _refuse_existing(output, overwrite)
        _write_run(unfinished, folder, files, table, on_checkpoint)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
        lock.release()


def _refuse_existing(output: Path, overwrite: bool) -> None:
    if output.is_dir():
        raise UsageError(f"{output} is a folder; name a file in it, such as {output / 'run.h5'}")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists; replace it by --overwrite, or name another file")


def _write_run(
    path: Path,
    folder: Path,
    files: dict[int, Path],
    table: dict[int, dict[str, float]],
    on_checkpoint: Callable[[int, int], None],
) -> None:
    steps = sorted(files)
    first = read_state_dict(files[steps[0]])
    layers = layers_of(first, files[steps[0]])
    with RunWriter.create(
        path,
        steps=steps,
        layers=layers,
        metrics=sorted({name for step in steps for name in table.get(step, {})}),
        config={"files": len(files)},
        origin=f"imported from {folder.resolve().name}",
        store_dtype=_store_dtype(first, layers),
        overwrite=True,
    ) as writer:
        for index, step in enumerate(steps):
            weights, biases = _arrays(read_state_dict(files[step]), layers, files[step])
            writer.commit(index, weights, biases, table.get(step, {}))
            on_checkpoint(index + 1, len(steps))


def checkpoint_files(folder: Path) -> dict[int, Path]:
    """Map step → file, the step being the last number in the name; raises UsageError where two files share one."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the folder that holds the checkpoints")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        numbers = re.findall(r"\d+", path.stem)
        if path.suffix not in SUFFIXES or not numbers:
            continue
        step = int(numbers[-1])
        if step > LARGEST_STEP:
            raise UsageError(f"{path} ends in {step}, which is too large for a step; rename it to end in its step")
        if step in found:
            raise UsageError(
                f"{found[step].name} and {path.name} in {folder} are both step {step}; keep one of them"
            )
        found[step] = path
    if not found:
        raise UsageError(
            f"{folder} holds no checkpoint: no {', '.join(SUFFIXES)} file with a step in its name (step-1000.pt)"
        )
    return found


def layers_of(state: StateDict, path: Path) -> list[LayerSpec]:
    """List the layers of a state dict in its order, natural in numbers: fc2 before fc10."""
    names = [
        name.removesuffix(".weight")
        for name, array in state.items()
        if name.endswith(".weight") and array.ndim >= 2 and array.size
    ]
    if not names:
        raise UsageError(f"{path} holds no `NAME.weight` of two or more dimensions; save a PyTorch state dict")
    for name in names:
        if state[f"{name}.weight"].dtype.kind not in "fiub":
            raise UsageError(f"{path}: {name}.weight is not of real numbers; leave it out of the state dict")
    return [
        LayerSpec(name, state[f"{name}.weight"].shape, _kind(name, state), _has_bias(name, state))
        for name in sorted(names, key=_natural)
    ]


def _has_bias(name: str, state: StateDict) -> bool:
    """Tell whether a bias fits a run file: those of transposed weights [in, out, ...] do not."""
    bias = state.get(f"{name}.bias")
    return bias is not None and bias.shape == state[f"{name}.weight"].shape[:1]


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _kind(name: str, state: StateDict) -> str:
    if re.search(r"(^|[._])(emb|embed|embedding|embeddings|wte|wpe|tok_emb|embed_tokens)($|[._])", name):
        return "embedding"
    return KINDS.get(state[f"{name}.weight"].ndim, "other")


def _metrics_in(folder: Path) -> Path | None:
    path = folder / "metrics.csv"
    return path if path.is_file() else None


def _store_dtype(state: StateDict, layers: list[LayerSpec]) -> str:
    """Keep what was saved: float64 where any weight is float64, float32 otherwise."""
    widest = np.result_type(*(state[f"{layer.name}.weight"].dtype for layer in layers))
    return "float64" if widest == np.float64 else "float32"


def _arrays(
    state: StateDict, layers: list[LayerSpec], path: Path
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    try:
        weights = {layer.name: state[f"{layer.name}.weight"] for layer in layers}
        biases = {layer.name: state[f"{layer.name}.bias"] for layer in layers if layer.bias}
    except KeyError as missing:
        raise UsageError(
            f"{path} lacks {missing} that the first checkpoint has; import one network at a time"
        ) from None
    for layer in layers:
        if weights[layer.name].shape != layer.shape:
            raise UsageError(
                f"{path}: {layer.name}.weight is {weights[layer.name].shape} and was {layer.shape} before; "
                "import one network at a time"
            )
    return weights, biases
