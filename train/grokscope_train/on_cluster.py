"""Many seeds at once on a Dask cluster: each is a task that runs the seed's own command beside a worker.

Workers and the client share a file system, so that weights never pass through the scheduler. A worker runs as many
seeds at a time as it has threads.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grokscope.cluster import connect
from grokscope.errors import FAILED, INTERRUPTED, WRONG_USAGE, StorageError, UsageError
from grokscope.runfile import Run
from grokscope_train.ensemble import POLL_SECONDS, MemberProcess, Show, identity, raise_first_failure
from grokscope_train.signals import StopRequest

SAVING_SECONDS = 15.0  # that a training whose worker has died may take to save and to let its file go


@dataclass
class MemberTask:
    """The training of one seed as a task of the cluster; `arguments` are those of its command."""

    path: Path
    arguments: Sequence[str]
    future: Any = None
    ended: tuple[int, str] | None = None

    def submit(self, client: Any, mark: Path, stop: str) -> None:
        """Hand the task to the cluster; it ends early once the event called `stop` is set (see `marked`)."""
        arguments, before = list(self.arguments), identity(self.path)
        self.future = client.submit(
            run_beside_worker, str(self.path), arguments, before, str(mark), stop, pure=False
        )

    @property
    def code(self) -> int | None:
        """The exit code, or None before the end."""
        if self.ended is None and self.future is not None and self.future.done():
            self.ended = self._end()
        return self.ended[0] if self.ended else None

    def last_words(self) -> str:
        """Return the last line that the command wrote to stderr, or why there was no command."""
        return self.ended[1] if self.ended else ""

    def _end(self) -> tuple[int, str]:
        if self.future.cancelled():
            return FAILED, "the Dask scheduler is gone; its workers let their seeds save, so go on by --resume"
        error = self.future.exception()
        if error is not None:
            return FAILED, f"a Dask worker failed ({type(error).__name__}: {error}); go on by --resume"
        ended: tuple[int, str] = self.future.result()
        return ended


def run_on_cluster(members: Sequence[MemberTask], scheduler: str, stop: StopRequest, show: Show) -> bool:
    """Run all members on the workers of a scheduler; return whether all were finished.

    On request every worker lets its members save and end. Raises UsageError where no scheduler answers, and with
    the first failure's own words when the others have ended.
    """
    with connect(scheduler) as client, marked(members[0].path.parent) as mark:
        from distributed import Event

        event = Event(f"grokscope-stop-{uuid.uuid4().hex}", client=client)
        for member in members:
            member.submit(client, mark, event.name)
        asked = False
        while any(member.code is None for member in members):
            if stop and not asked:
                event.set()
                asked = True
            show(members)
            time.sleep(POLL_SECONDS)
        show(members)
        if asked:
            return all(member.code == 0 for member in members)
        raise_first_failure(members)
    return True


@contextlib.contextmanager
def marked(folder: Path) -> Iterator[Path]:
    """Keep a file in a folder, by which workers know that theirs of that name is the same one.

    Raises UsageError where there is no such folder, StorageError where it refuses.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} to put the runs in; make it first")
    try:
        mark = tempfile.NamedTemporaryFile(prefix=".grokscope-", dir=folder)  # noqa: SIM115  (closed below)
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}; choose another folder") from None
    with mark:
        yield Path(mark.name)


def run_beside_worker(
    path: str, arguments: list[str], before: str, mark: str, stop: str
) -> tuple[int | None, str]:
    """Run a member's command as a child of this worker; return its exit code and last words.

    `before` identifies the file that was there before the task was first tried: another one is the work of a
    worker that has died, and is gone on with. `mark` is a file that the client has put beside it.
    """
    from distributed import Event

    output, event = Path(path), Event(stop)
    if not Path(mark).exists():
        host = socket.gethostname()
        return WRONG_USAGE, f"the worker on {host} does not share the folder {output.parent}; name one that all do"
    found = identity(output)
    if found:
        _wait_for_release(output)
    if found not in ("", before):
        arguments = [word for word in arguments if word not in ("--overwrite", "--resume")] + ["--resume"]
    if event.is_set():
        return INTERRUPTED, ""
    member = MemberProcess(output, arguments)
    member.start()
    try:
        while member.code is None and _is_wanted() and not event.is_set():
            time.sleep(POLL_SECONDS)
    finally:
        member.ask_to_stop()  # also where the scheduler has gone
    return member.wait(), member.last_words()


def _is_wanted() -> bool:
    """Tell whether a client still waits for the task that this thread runs; one that was killed does not."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state != "cancelled"


def _wait_for_release(path: Path) -> None:
    """Wait while a training whose worker has died is still saving."""
    deadline = time.monotonic() + SAVING_SECONDS
    while Run.open(path).liveness().state in ("running", "stalled") and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
