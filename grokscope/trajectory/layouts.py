"""Which files of a folder are checkpoints: plain folders, `checkpoint-N/`, `stepN/`, Lightning's, the hub's."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grokscope.errors import UsageError
from grokscope.files import read_text
from grokscope.importers import sniff
from grokscope.importers.shard_index import SHARD
from grokscope.importers.sniffing import MODEL_FILES
from grokscope.names import pasted
from grokscope.runfile import LeftOut
from grokscope.trajectory.numbers_in_names import EPOCHS, ITERATIONS, STEPS, numbers_in, skeleton
from grokscope.trajectory.whose import is_of_grokscope

SUFFIXES = (
    ".safetensors.index.json", ".bin.index.json", ".safetensors", ".pth.tar", ".pt", ".pth", ".ckpt", ".bin",
    ".npz", ".weights.h5", ".keras", ".h5", ".hdf5", ".msgpack", ".onnx", ".gguf", ".pkl", ".tar",
)  # fmt: skip
SURELY_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".pth.tar")
WHOLE_MODELS = (
    "model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin", "consolidated.safetensors",
    "adapter_model.safetensors", "adapter_model.bin", "mp_rank_00_model_states.pt", "model.weights.h5",
)  # fmt: skip
"""How libraries call the one model of a folder; the first that is there is taken."""
NO_WEIGHTS = re.compile(
    r"(^|[._-])(optim|optimizers?|optimizer_states?|optim_states?|scheduler|lr_scheduler|scaler|rng|rng_state"
    r"|random_states?|training_args|trainer_state|sampler|dataloader|tokenizer|sentencepiece|vocab|dataset"
    r"|spectra)([._-]|\d|$)",
    re.IGNORECASE,
)
COMPANION = "called as what a training keeps beside its weights"
AVERAGED = re.compile(r"(^|[._-])ema([._-]|\d|$)", re.IGNORECASE)
PART_OF_A_FOLDER = ("*global_step*", "pytorch_model_fsdp_*")  # where DeepSpeed and Accelerate put the weights
DEEPEST = 3
LARGEST_REF = 1000


@dataclass(frozen=True)
class Found:
    """A checkpoint on the disk: the name that tells its step, and the path that is opened."""

    name: str
    path: Path


Layout = tuple[list[Found], list[LeftOut]]


def find_checkpoints(path: Path, match: str | None = None) -> Layout:
    """Find the checkpoints at a path, one or many, and say what there is left out.

    `match` is a shell pattern for the names of the files or folders that count. Raises UsageError where there is
    none, or where there are several kinds.
    """
    if not path.is_dir():
        return [Found(bare_name(path), path)], []
    if (path / "snapshots").is_dir() and (path / "refs").is_dir():
        return _revisions(path, match)
    return _in_folder(path, match, 0)


def bare_name(path: Path) -> str:
    """Return a file's name without the suffix of its format; dots in front of it stay: they may be decimals."""
    lower = path.name.lower()
    suffix = next((s for s in SUFFIXES if lower.endswith(s)), "")
    return path.name[: -len(suffix)] if suffix and path.name != suffix else path.name


def weights_in(folder: Path) -> Path | None:
    """Return what is to be opened where a folder holds the weights of one checkpoint, else None."""
    if sniff(folder):
        return folder
    for name in WHOLE_MODELS:
        if (folder / name).is_file():
            return folder / name
    indexes = sorted(folder.glob("*.index.json"))
    if len(indexes) == 1:
        return indexes[0]
    parts = [_part(part) for pattern in PART_OF_A_FOLDER for part in sorted(folder.glob(pattern))]
    files = [file for file in _weight_files(folder) if not AVERAGED.search(file.name)]
    found = [part for part in parts if part is not None] or files
    return found[0] if len(found) == 1 else None


def _model_file(whole: Path) -> Path:
    """Return the file of a folder that its reader takes; itself where a folder as a whole is the checkpoint."""
    return next((whole / name for name in MODEL_FILES if (whole / name).is_file()), whole)


def _part(path: Path) -> Path | None:
    if path.is_file():
        return None
    return path if sniff(path) else next(iter(sorted(path.glob("mp_rank_00_model_states.pt"))), None)


def _in_folder(folder: Path, match: str | None, depth: int) -> Layout:
    folders = _kept([Found(d.name, w) for d in _subfolders(folder) if (w := weights_in(d)) is not None], match)
    numbered = [found for found in folders if numbers_in(found.name)]
    files, left_out = _files(folder, match)
    left_out += _passed_over(folder, match, folders if numbered else files)
    if numbered:
        return _folders_of_steps(folder, folders, files, left_out)
    whole = None if match else weights_in(folder)
    if whole is not None and not any(numbers_in(found.name) for found in files if found.path != whole):
        model = _model_file(whole)
        reason = f"beside {model.name}, the model"
        others = [LeftOut(found.path.name, reason) for found in files if not _same(found.path, model)]
        of_file = whole != folder and whole.name not in WHOLE_MODELS
        name = f"{folder.resolve().name}/{bare_name(whole)}" if of_file else folder.resolve().name
        return [Found(name, whole)], [*left_out, *others]
    return (files, left_out) if files else _deeper(folder, match, depth)


def _folders_of_steps(folder: Path, folders: list[Found], files: list[Found], left_out: list[LeftOut]) -> Layout:
    clash = [found for found in files if numbers_in(found.name)]
    if clash:
        raise UsageError(
            f"{folder} holds checkpoints as folders ({folders[0].name}, …) and files ({clash[0].path.name}, …); "
            f"choose one kind by --match {pasted(folders[0].name[:4] + '*')} or --match '*{clash[0].path.suffix}'"
        )
    beside = [LeftOut(found.path.name, "beside the folders of checkpoints, without a step") for found in files]
    return folders, [*left_out, *beside]


def _deeper(folder: Path, match: str | None, depth: int) -> Layout:
    """Look into the one folder that holds checkpoints: Lightning's lie in `version_0/checkpoints`."""
    inside = [d for d in _subfolders(folder) if depth < DEEPEST and _holds_checkpoints(d, match, depth)]
    if len(inside) == 1:
        return _in_folder(inside[0], match, depth + 1)
    if inside:
        names = ", ".join(d.name for d in inside[:3])
        raise UsageError(f"{folder} holds several folders of checkpoints ({names}, …); give one of them")
    if match:
        raise UsageError(f"{folder} holds no checkpoint whose name matches {match!r}")
    if runs := [path.name for path in sorted(folder.glob("*.h5")) if is_of_grokscope(path)]:
        raise UsageError(f"{folder} holds run files ({', '.join(runs[:3])}, …), no checkpoints; give these")
    if passed := [path.name for path in _entries(folder, _is_file) if _is_companion(path)]:
        raise UsageError(
            f"{folder} holds no checkpoint: what there is, {passed[0]}, is {COMPANION}; rename or give it alone"
        )
    raise UsageError(
        f"{folder} holds no checkpoint: no file of weights (.safetensors, .pt, .ckpt, .npz, …), no folder with one"
    )


def _holds_checkpoints(folder: Path, match: str | None, depth: int) -> bool:
    try:
        _in_folder(folder, match, depth + 1)
    except UsageError:
        return False
    return True


def _revisions(cache: Path, match: str | None) -> Layout:
    """List the snapshots of a model in the hub's cache, each by the revision that refers to it."""
    names: dict[str, str] = {}
    for ref in sorted((cache / "refs").rglob("*")):
        name = ref.relative_to(cache / "refs").as_posix()
        if ref.is_file() and not name.startswith("pr/"):
            commit = _commit(ref)
            if commit not in names or not numbers_in(names[commit]):
                names[commit] = name
    snapshots = [(names.get(d.name, d.name), weights_in(d)) for d in _subfolders(cache / "snapshots")]
    found = _kept([Found(name, path) for name, path in snapshots if path is not None], match)
    if not found:
        raise UsageError(f"{cache} holds no snapshot with weights; download the model again")
    return found, [LeftOut(name, "a revision without weights") for name, path in snapshots if path is None]


def _commit(ref: Path) -> str:
    try:
        return read_text(ref, LARGEST_REF).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{ref} is no revision of the hub's: {error}; download the model again") from None


def _files(folder: Path, match: str | None) -> Layout:
    """List the files of weights in a folder, one a name; copies by averaging only where they are asked for."""
    found = _kept([Found(bare_name(path), path) for path in _weight_files(folder)], match)
    left_out = []
    averaged = [f for f in found if AVERAGED.search(f.name)]
    if not match and 0 < len(averaged) < len(found):
        reason = "a copy by exponential moving average; --match '*ema*' takes these"
        left_out += [LeftOut(f.path.name, reason) for f in averaged]
        found = [f for f in found if f not in averaged]
    by_name: dict[str, Found] = {}
    for f in sorted(found, key=_preference):
        if by_name.setdefault(f.name, f) is not f:
            left_out.append(LeftOut(f.path.name, f"beside {by_name[f.name].path.name}, of the same name"))
    return sorted(by_name.values(), key=lambda f: f.name), left_out


def _passed_over(folder: Path, match: str | None, found: Sequence[Found]) -> list[LeftOut]:
    """List what is called as the checkpoints are and holds no weights, and companions of none that is there."""
    alike, taken = {skeleton(one.name) for one in found}, {one.name for one in found}
    steps = {number.value for one in found for number in numbers_in(one.name)}
    left_out = []
    for path in _entries(folder, lambda path: match is None or fnmatch.fnmatch(path.name, match)):
        name = bare_name(path)
        if _is_file(path):
            own = {number.value for number in numbers_in(name) if number.stands_by(STEPS | ITERATIONS | EPOCHS)}
            if own and not own & steps and found and _is_companion(path):
                left_out.append(LeftOut(path.name, f"{COMPANION}, and no checkpoint has its step; rename it"))
        elif skeleton(name) in alike and not {name, path.name} & taken:
            what = "a folder without the weights of one model" if _is_folder(path) else "no regular file"
            left_out.append(LeftOut(path.name, what))
    return left_out


def _is_companion(path: Path) -> bool:
    return bool(NO_WEIGHTS.search(path.name)) and _is_weights(path)


def _weight_files(folder: Path) -> list[Path]:
    """List what could be opened as weights: of shards their index, of a set without one its first."""
    files = [p for p in _entries(folder, _is_file) if not NO_WEIGHTS.search(p.name) and _is_weights(p)]
    indexed = {bare_name(path) for path in files if path.name.endswith(".index.json")}
    kept, seen = [], set[str]()
    for path in files:
        if shard := SHARD.match(bare_name(path)):
            if shard["model"] in indexed or shard["model"] in seen:
                continue
            seen.add(shard["model"])
        kept.append(path)
    return kept


def _is_weights(path: Path) -> bool:
    """Tell weights by their contents; what is only called so is opened too, and its reader says what is wrong."""
    if path.name.lower().endswith((".index.json", *SURELY_WEIGHTS)):
        return True
    kind = sniff(path)
    return kind is not None and not (kind == "hdf5" and is_of_grokscope(path))


def _kept(found: Sequence[Found], match: str | None) -> list[Found]:
    return [f for f in found if match is None or _matches(f, match)]


def _matches(found: Found, pattern: str) -> bool:
    return fnmatch.fnmatch(found.name, pattern) or fnmatch.fnmatch(found.path.name, pattern)


def _preference(found: Found) -> tuple[int, str]:
    lower = found.path.name.lower()
    return next((k for k, suffix in enumerate(SUFFIXES) if lower.endswith(suffix)), len(SUFFIXES)), found.path.name


def _same(path: Path, whole: Path) -> bool:
    return path == whole or bool(SHARD.match(bare_name(path)))


def _subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder that may be entered."""
    return _entries(folder, lambda path: _is_folder(path) and os.access(path, os.R_OK | os.X_OK))


def _is_folder(path: Path) -> bool:
    return os.access(path, os.F_OK) and path.is_dir()


def _is_file(path: Path) -> bool:
    """Tell a file, also a link to one; what a link leads to may lie where nobody may look."""
    return os.access(path, os.F_OK) and path.is_file()


def _entries(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and wanted(path)]
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from None
