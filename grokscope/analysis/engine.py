"""Measures what of a run is not measured yet: (checkpoint, layer) tasks, in this process or on workers.

Every task runs with one BLAS thread and a seed of its own, so the results are the same bytes wherever and in
whatever order they are computed. Workers return arrays; only this process writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from threading import Event

import numpy as np

from grokscope.analysis.measure import Result, Task, measure
from grokscope.analysis.spectra_file import Spectra
from grokscope.analysis.spectra_layout import Parameters
from grokscope.analysis.spectra_writer import SpectraWriter
from grokscope.children import end_with, safe_path
from grokscope.runfile import LayerSpec
from grokscope.spectra.esd import LARGE
from grokscope.trajectory import Trajectory, find_damaged


def analyze(
    run: Trajectory,
    *,
    indices: Sequence[int] | None = None,
    parameters: Parameters | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    on_done: Callable[[int, int], None] = lambda done, total: None,
    stop: Event | None = None,
    patience: float = 0.0,
) -> Spectra:
    """Measure every layer at every checkpoint of `indices` (all, by default) that is not measured yet.

    `parameters` None means those of the spectra file, where there is one. `jobs` is the number of processes (-1:
    one for each core); LARGE layers are measured one at a time, by as many threads, so that none lies in memory
    twice. `scheduler` the address of a Dask scheduler to use instead. `on_done(done, total)` is called after each
    layer; setting `stop` ends the work after the layer at hand. What was measured is kept, whatever happens.
    Another analysis of this run is waited for so many seconds of `patience`; RunLocked is raised thereafter.
    Checkpoints whose bytes do not match their CRC are left out, and named in `damaged` of what is returned.
    """
    with SpectraWriter(run, parameters, patience) as writer:
        if run.num_checkpoints:
            writer.measure_gates(run.num_checkpoints - 1 if indices is None else max(indices, default=0), stop)
        spectra = Spectra(run)
        damaged = find_damaged(run, range(len(spectra.done)) if indices is None else indices)
        tasks = [task for task in pending(spectra, indices) if task[0] not in damaged]
        on_done(0, len(tasks))
        with closing(_results(run, tasks, writer.parameters, jobs, scheduler)) as results:
            for done, (index, spectrum) in enumerate(results, start=1):
                writer.write(index, spectrum)
                on_done(done, len(tasks))
                if stop is not None and stop.is_set():
                    break
    return Spectra(run).leave_out(damaged)


def pending(spectra: Spectra, indices: Sequence[int] | None = None) -> list[Task]:
    """List the (checkpoint, layer) pairs that are not measured or whose row is torn, in the order of `indices`."""
    chosen = range(len(spectra.done)) if indices is None else indices
    layers = spectra.run.layers
    whole = np.array([spectra.whole(layer.name) for layer in layers]).T
    return [(index, layers[column]) for index in chosen for column in np.flatnonzero(~whole[index])]


def _measure_task(run: Trajectory, task: Task, parameters: Parameters, threads: int = 1) -> Result:
    index, layer = task
    return index, measure(run.weight(index, layer.name), layer, int(run.steps[index]), parameters, threads)


def _results(
    run: Trajectory, tasks: Sequence[Task], parameters: Parameters, jobs: int, scheduler: str | None
) -> Generator[Result, None, None]:
    if scheduler is not None:
        from grokscope.analysis.cluster import results_from_cluster

        yield from results_from_cluster(run, tasks, parameters, scheduler)
        return
    jobs = jobs if jobs > 0 else os.cpu_count() or 1
    apart = [task for task in tasks if not _is_large(task)]
    if jobs == 1 or len(apart) < 2:
        yield from (_measure_task(run, task, parameters, jobs) for task in apart)
    else:
        yield from _results_from_processes(run, apart, parameters, jobs)
    yield from (_measure_task(run, task, parameters, jobs) for task in tasks if _is_large(task))


def _is_large(task: Task) -> bool:
    return bool(np.prod(task[1].shape) >= LARGE)


def _results_from_processes(
    run: Trajectory, tasks: Sequence[Task], parameters: Parameters, jobs: int
) -> Generator[Result, None, None]:
    from joblib import Parallel, delayed

    _prepare_nulls(tasks, parameters)
    parallel = Parallel(
        n_jobs=jobs, return_as="generator_unordered", backend="loky", max_nbytes=None,
        initializer=end_with, initargs=(os.getpid(),),
    )  # fmt: skip
    with safe_path():
        yield from parallel(delayed(_measure_task)(run, task, parameters) for task in tasks)


def _prepare_nulls(tasks: Sequence[Task], parameters: Parameters) -> None:
    """Draw the null distribution of each shape once, before workers would all draw it at once."""
    from grokscope.analysis.rows import num_eigenvalues
    from grokscope.spectra.layer import SMALLEST_SIDE
    from grokscope.spectra.null import null_for

    for shape in {layer.shape for _, layer in tasks}:
        short = num_eigenvalues(LayerSpec("any", shape))
        if short >= SMALLEST_SIDE:
            null_for(int(np.prod(shape)) // short, short, parameters.null_draws)
