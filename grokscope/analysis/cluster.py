"""The same tasks on a Dask cluster: weights go out, spectra come back, and only this process writes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from grokscope.analysis.measure import Result, Task, measure
from grokscope.analysis.spectra_layout import Parameters
from grokscope.cluster import connect
from grokscope.trajectory import Trajectory

IN_FLIGHT_PER_WORKER = 4  # enough to keep workers busy, few enough for the weights to fit in memory


def results_from_cluster(
    run: Trajectory, tasks: Sequence[Task], parameters: Parameters, scheduler: str
) -> Generator[Result, None, None]:
    """Measure the tasks on the cluster behind a scheduler's address, such as tcp://host:8786.

    Raises MissingPackage without Dask, UsageError where no scheduler answers.
    """
    client = connect(scheduler)
    from distributed import as_completed

    waiting = iter(tasks)
    indices: dict[Any, int] = {}

    with client:

        def submit(task: Task) -> Any:
            index, layer = task
            weight = run.weight(index, layer.name)
            future = client.submit(measure, weight, layer, int(run.steps[index]), parameters, pure=False)
            indices[future.key] = index
            return future

        width = IN_FLIGHT_PER_WORKER * max(sum(client.nthreads().values()), 1)
        first = [submit(task) for _, task in zip(range(width), waiting, strict=False)]
        completed = as_completed(first)
        for future in completed:
            yield indices.pop(future.key), future.result()
            future.release()
            if (task := next(waiting, None)) is not None:
                completed.add(submit(task))
