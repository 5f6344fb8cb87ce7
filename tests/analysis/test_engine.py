"""The same bytes on one process, on two, and on a Dask cluster; and nothing lost by stopping."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import h5py
import numpy as np
import pytest

from grokscope.analysis import Spectra, analyze
from grokscope.analysis.measure import measure
from grokscope.analysis.spectra_layout import beside
from grokscope.errors import UsageError
from grokscope.runfile import Run
from grokscope.trajectory import Checkpoints
from grokscope.trajectory.importing import write_run
from tests.analysis.test_spectra_file import FAST, content
from tests.conftest import ROOT


def copy_of(run: Run, name: str) -> Run:
    """The same run under another name."""
    return Run(shutil.copy(run.path, run.path.with_name(name)))


def test_two_processes_measure_the_same_bytes_as_one(run: Run) -> None:
    other = copy_of(run, "other.h5")
    analyze(run, parameters=FAST, jobs=1)
    analyze(other, parameters=FAST, jobs=2)
    assert content(beside(run.path)) == content(beside(other.path))


def test_large_layers_are_measured_by_threads_of_this_process_to_the_same_bytes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, threads = copy_of(run, "other.h5"), []
    analyze(run, parameters=FAST, jobs=1)

    def counted(*arguments: object) -> object:
        threads.append(arguments[-1])
        return measure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("grokscope.analysis.engine.LARGE", 1)
    monkeypatch.setattr("grokscope.analysis.engine.measure", counted)
    analyze(other, parameters=FAST, jobs=3)
    assert threads == [3] * Spectra(other).done.size
    assert content(beside(run.path)) == content(beside(other.path))


def test_a_dask_cluster_measures_the_same_bytes(run: Run) -> None:
    distributed = pytest.importorskip("distributed")
    other = copy_of(run, "other.h5")
    analyze(run, parameters=FAST, jobs=1)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        analyze(other, parameters=FAST, scheduler=cluster.scheduler_address)
    assert content(beside(run.path)) == content(beside(other.path))


def test_no_scheduler_is_said_in_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("grokscope.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match="no Dask scheduler answers at tcp://127"):
        analyze(run, parameters=FAST, scheduler="tcp://127.0.0.1:9")


def test_a_stopped_analysis_keeps_what_it_has(run: Run) -> None:
    stop = Event()

    def stop_after_five(done: int, total: int) -> None:
        if done == 5:
            stop.set()

    spectra = analyze(run, parameters=FAST, stop=stop, on_done=stop_after_five)
    assert spectra.done.sum() == 5
    assert analyze(run).done.all()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_exits_130(run: Run, jobs: str) -> None:
    command = [
        sys.executable,
        "-m",
        "grokscope",
        "analyze",
        str(run.path),
        "--permutations",
        "3000",
        "--jobs",
        jobs,
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while Spectra(run).done.sum() == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert "Traceback" not in errors
    done = Spectra(run).done
    assert 0 < done.sum() < done.size


def mean_top_eigenvalue(weight: np.ndarray) -> float:
    """The largest eigenvalue of shuffled entries, averaged over shuffles: a single one scatters by 2 to 3 %."""
    rng = np.random.default_rng(0)
    shuffled = (rng.permutation(weight.ravel().astype(float)).reshape(weight.shape) for _ in range(20))
    return float(np.mean([np.linalg.norm(matrix, 2) ** 2 for matrix in shuffled]))


def test_the_reference_trajectory_keeps_its_facts(reference_dir: Path, tmp_path: Path) -> None:
    from grokscope.analysis.evidence import observe_run, read_evidence
    from grokscope.phases import infer

    write_run(Checkpoints(reference_dir), tmp_path / "run.h5")
    with h5py.File(tmp_path / "run.h5", "r+") as file:
        file.attrs["config"] = json.dumps({"activation": "relu", "input_range": [0, 1], "loss": "mse"})
    run = Run(tmp_path / "run.h5")
    chosen = [
        int(np.searchsorted(run.steps, step)) for step in (0, 10_000, 251_189, 398_107, 5_011_872, 6_309_573)
    ]
    spectra = analyze(run, indices=chosen, jobs=2)
    first = spectra.layer(chosen[0], "fc1")
    assert first is not None
    assert first.sigma_mp == pytest.approx(1, abs=0.01)
    assert first.ks_p_naive > 0.99
    assert first.num_traps == 0
    for index in chosen[2:4]:
        for name in ("fc1", "fc2"):
            layer = spectra.layer(index, name)
            assert layer is not None
            assert [trap.cause for trap in layer.traps] == ["mean"]
            assert layer.traps[0].predicted == pytest.approx(
                mean_top_eigenvalue(run.weight(index, name)), rel=0.05
            )
    last = spectra.layer(chosen[-1], "fc1")
    assert last is not None
    assert last.alpha == pytest.approx(1.92, abs=0.01)
    assert 5 <= last.num_traps <= 12
    assert {"mean", "entries"} <= {trap.cause for trap in last.traps}
    assert [observe_run(run).labels[index] for index in chosen] == [
        "pre-grokking", "pre-grokking", "grokking", "grokking", "anti-grokking", "anti-grokking",
    ]  # fmt: skip
    evidence = read_evidence(spectra)
    labels = [infer(evidence.until(index)).label for index in chosen]
    # One strained checkpoint is not enough: the second in a row is called so.
    assert labels == ["unknown", "pre-grokking", "grokking", "grokking", "undecided", "anti-grokking"]
