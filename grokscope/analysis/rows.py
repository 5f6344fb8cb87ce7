"""One layer's spectrum as a row of fixed-size arrays, its CRC, and back."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grokscope.runfile import LayerSpec
from grokscope.runfile.exact_layout import Declared
from grokscope.runfile.preallocated import raw_bytes
from grokscope.spectra import LayerSpectrum, Trap

CAUSES = ("mean", "entries", "mean+entries", "unexplained")
VERDICTS = ("not measured", "over-trained", "well-trained", "under-trained", "undecided", "like noise")
MAX_TRAPS, MAX_ENTRIES = 16, 8
"""Kept in full; `num_traps` counts all, and `randomized_esd` holds their eigenvalues."""

REASON_BYTES = 200
REASONS = ("reason", "verdict_reason", "randomised_reason")
NOT_PLAIN = {"name", "shape", "traps", "esd", "randomized_esd"}
"""What a spectrum says in other than a number or a word."""

COUNTS = {"num_tail", "num_zero", "null_draws", "permutations"}
SCALARS = tuple(
    field.name for field in fields(LayerSpectrum) if field.name not in {*NOT_PLAIN, *REASONS, "verdict"}
)
DERIVED = ("num_signal", "num_entry_traps", "dominance")
TRAP_SCALARS = tuple(field.name for field in fields(Trap) if field.name not in {"cause", "entries"})

Row = dict[str, ArrayLike]


def num_eigenvalues(layer: LayerSpec) -> int:
    """Return M, the shorter side of the layer's weight flattened to a matrix."""
    if len(layer.shape) < 2 or 0 in layer.shape:
        return 0
    return min(layer.shape[0], int(np.prod(layer.shape[1:], dtype=np.int64)))


def row_datasets(layer: LayerSpec, length: int) -> dict[str, Declared]:
    """Declare the datasets, without their group, that hold a layer's rows over `length` checkpoints."""
    size = max(num_eigenvalues(layer), 1)
    datasets = {name: Declared((length,), "f8") for name in (*SCALARS, *DERIVED)}
    datasets |= {name: Declared((length,), f"S{REASON_BYTES}") for name in REASONS}
    return datasets | {
        "verdict": Declared((length,), "i1"),
        "esd": Declared((length, size), "f8"),
        "randomized_esd": Declared((length, size), "f8"),
        "trap_scalars": Declared((length, MAX_TRAPS, len(TRAP_SCALARS)), "f8"),
        "trap_causes": Declared((length, MAX_TRAPS), "i1"),
        "trap_entries": Declared((length, MAX_TRAPS, MAX_ENTRIES, 3), "f8"),
    }


def to_row(spectrum: LayerSpectrum, size: int) -> Row:
    """Flatten a spectrum into a row with room for `size` eigenvalues, NaN where it has fewer."""
    row: Row = {name: float(getattr(spectrum, name)) for name in SCALARS}
    row["num_signal"] = _num_signal(spectrum)
    row["num_entry_traps"] = _num_entry_traps(spectrum)
    row["dominance"] = _dominance(spectrum)
    row["verdict"] = VERDICTS.index(spectrum.verdict)
    row |= {name: np.bytes_(_clipped(getattr(spectrum, name))) for name in REASONS}
    row["esd"] = _padded(spectrum.esd, size)
    row["randomized_esd"] = _padded(spectrum.randomized_esd, size)
    return row | _trap_arrays(spectrum.traps[:MAX_TRAPS])


def from_row(name: str, shape: tuple[int, ...], row: Mapping[str, Any]) -> LayerSpectrum:
    """Rebuild the spectrum that `to_row` flattened."""
    scalars: dict[str, Any] = {key: int(row[key]) if key in COUNTS else float(row[key]) for key in SCALARS}
    reasons = {key: np.asarray(row[key]).item().decode(errors="replace") for key in REASONS}
    return LayerSpectrum(
        name=name,
        shape=shape,
        verdict=VERDICTS[int(row["verdict"])],
        traps=_traps(row),
        esd=_unpadded(row["esd"]),
        randomized_esd=_unpadded(row["randomized_esd"]),
        **reasons,
        **scalars,
    )


def crc_of_row(row: Mapping[str, NDArray[Any]]) -> int:
    """Return the CRC of a row as it is stored, never 0, which means "not written"."""
    crc = 0
    for key in sorted(row):
        crc = zlib.crc32(raw_bytes(row[key]), crc)
    return crc or 1


def crcs_of_rows(blocks: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.uint32]:
    """Return `crc_of_row` of each of `count` rows, given by key."""
    parts = [np.frombuffer(block.tobytes(), np.uint8) for _, block in sorted(blocks.items())]
    rows = np.concatenate([part.reshape(count, len(part) // max(count, 1)) for part in parts], axis=1)
    return np.array([zlib.crc32(row) or 1 for row in rows], dtype=np.uint32)


def _num_signal(spectrum: LayerSpectrum) -> float:
    """Count the eigenvalues of W itself beyond the edge of its shuffled entries, the one that makes a trap."""
    return (
        float(np.count_nonzero(spectrum.esd > spectrum.trap_edge))
        if np.isfinite(spectrum.trap_edge)
        else float("nan")
    )


def _dominance(spectrum: LayerSpectrum) -> float:
    """Return the largest eigenvalue of W over the Marchenko-Pastur edge of its shuffled entries."""
    return float(spectrum.esd[-1] / spectrum.lambda_plus) if np.isfinite(spectrum.lambda_plus) else float("nan")


def _num_entry_traps(spectrum: LayerSpectrum) -> float:
    if not np.isfinite(spectrum.num_traps):
        return float("nan")
    return float(sum("entries" in trap.cause for trap in spectrum.traps))


def _clipped(text: str) -> bytes:
    return text.encode()[:REASON_BYTES].decode(errors="ignore").encode()


def _padded(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    padded = np.full(size, np.nan)
    padded[: len(values)] = values
    return padded


def _unpadded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[~np.isnan(values)]


def _trap_arrays(traps: tuple[Trap, ...]) -> Row:
    scalars = np.full((MAX_TRAPS, len(TRAP_SCALARS)), np.nan)
    causes = np.full(MAX_TRAPS, -1, dtype=np.int8)
    entries = np.full((MAX_TRAPS, MAX_ENTRIES, 3), np.nan)
    for i, trap in enumerate(traps):
        scalars[i] = [getattr(trap, name) for name in TRAP_SCALARS]
        causes[i] = CAUSES.index(trap.cause)
        if trap.entries:
            entries[i, : len(trap.entries)] = trap.entries[:MAX_ENTRIES]
    return {"trap_scalars": scalars, "trap_causes": causes, "trap_entries": entries}


def _traps(row: Mapping[str, Any]) -> tuple[Trap, ...]:
    traps = []
    for i in np.flatnonzero(np.asarray(row["trap_causes"]) >= 0):
        scalars = dict(zip(TRAP_SCALARS, map(float, row["trap_scalars"][i]), strict=True))
        entries = tuple((int(r), int(c), float(value)) for r, c, value in row["trap_entries"][i] if r == r)
        traps.append(Trap(cause=CAUSES[int(row["trap_causes"][i])], entries=entries, **scalars))
    return tuple(traps)
