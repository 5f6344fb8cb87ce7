"""A full disk, a file that is taken away, forks, signals and warnings that are errors stop no training loop."""

from __future__ import annotations

import copy
import os
import pickle
import resource
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from grokscope.runfile import Run
from tests.train.gone_wrong import (
    SABOTAGED,
    STEPS,
    GoWrong,
    Loop,
    Ways,
    assert_the_end_is_reached,
    from_the_middle,
)

WAYS = Ways()


@WAYS.add("no room for .*File too large")
def the_disk_is_full_from_the_start(loop: Loop) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))


@WAYS.add("no room for .*File too large")
def the_disk_is_full_from_the_middle(loop: Loop) -> None:
    loop.sabotage = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))


@WAYS.add("no room for .*File too large")
def the_disk_is_full_for_a_while(loop: Loop) -> None:
    def fill(step: int) -> dict[str, Any]:
        room = 100 if 20 <= step < 40 else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        return {}

    loop.metrics = fill


@WAYS.add("no room for .*File too large")
def the_disk_is_full_at_the_end(loop: Loop) -> None:
    def fill(step: int) -> dict[str, Any]:
        if step == STEPS - 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        return {}

    loop.metrics = fill


@WAYS.add("Bad file descriptor", "Bad file descriptor")
def the_loop_closes_all_files(loop: Loop) -> None:
    loop.sabotage = lambda: os.close(loop.recorder._recording._writer._file._descriptor)


@WAYS.add("was taken away or replaced")
def the_file_is_deleted(loop: Loop) -> None:
    loop.sabotage = lambda: loop.path.unlink()


@WAYS.add("was taken away or replaced")
def the_file_is_replaced(loop: Loop) -> None:
    def replace() -> None:
        shutil.copy(loop.path, loop.path.with_suffix(".copy"))
        loop.path.with_suffix(".copy").replace(loop.path)

    loop.sabotage = replace


@WAYS.add("was taken away or replaced")
def the_folder_is_deleted(loop: Loop) -> None:
    (loop.path.parent / "sub").mkdir()
    loop.path = loop.path.parent / "sub" / "run.h5"
    loop.sabotage = lambda: shutil.rmtree(loop.path.parent)


@WAYS.add()
def the_lock_is_deleted(loop: Loop) -> None:
    loop.sabotage = lambda: (loop.path.parent / "run.h5.lock").unlink()


@WAYS.add()
def the_loop_changes_its_folder(loop: Loop) -> None:
    os.chdir(loop.path.parent)
    loop.path = Path("run.h5")
    loop.sabotage = lambda: os.chdir("/")


@WAYS.add("exists")
def another_run_takes_the_name_first(loop: Loop) -> None:
    loop.number = lambda step: loop.path.write_text("mine") and step if step == 0 else step


@WAYS.add("is being written by process")
def another_process_holds_the_file(loop: Loop) -> None:
    from grokscope.runfile.lock import WriterLock

    lock = WriterLock(loop.path)
    loop.sabotage = lock.release


def in_a_fork(work: Callable[[], object]) -> None:
    """Do something in a forked child that ends as a process does, and wait for it."""
    child = os.fork()
    if child == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@WAYS.add()
def a_fork_leaves_the_block(loop: Loop) -> None:
    loop.sabotage = lambda: in_a_fork(lambda: loop.recorder.__exit__(None, None, None))


@WAYS.add()
def a_fork_goes_on_training(loop: Loop) -> None:
    loop.sabotage = lambda: in_a_fork(lambda: [loop.recorder.step(step) for step in range(100, 2000)])


@WAYS.add()
def copies_of_the_recorder_are_used(loop: Loop) -> None:
    def use_copies() -> None:
        for other in (pickle.loads(pickle.dumps(loop.recorder)), copy.deepcopy(loop.recorder)):
            assert not other.step(30)
            other.close()

    loop.sabotage = use_copies


@WAYS.add()
def it_is_closed_early_and_told_on(loop: Loop) -> None:
    loop.sabotage = lambda: (loop.recorder.close(), loop.recorder.close())


@WAYS.add()
def a_signal_closes_it_amid_a_checkpoint(loop: Loop) -> None:
    def terminate() -> float:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0.5

    signal.signal(signal.SIGUSR1, lambda *_: loop.recorder.close("interrupted"))
    from_the_middle(loop, terminate)


@WAYS.add()
def many_threads_tell_steps(loop: Loop) -> None:
    def tell() -> None:
        threads = [threading.Thread(target=loop.recorder.step, args=(SABOTAGED,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    loop.sabotage = tell


@WAYS.add("the weights at step 2 are those of 2 checkpoints before", "train_accuracy is no number")
def gradients_are_off(loop: Loop) -> None:
    torch.set_grad_enabled(False)
    from_the_middle(loop, None)


@WAYS.add()
def warnings_are_errors(loop: Loop) -> None:
    loop.sabotage = lambda: warnings.simplefilter("error")
    from_the_middle(loop, None)


@WAYS.add()
def warnings_are_errors_and_stderr_is_closed(loop: Loop) -> None:
    def close() -> None:
        warnings.simplefilter("error")
        sys.stderr = open(os.devnull)  # noqa: SIM115, PTH123 - not open for writing

    loop.sabotage = close
    from_the_middle(loop, None)


# a limit on file sizes refuses writing in place as well, which a full disk does not; the next two took the file
# away, and where warnings are errors the note is all there is (it is looked at by a test of its own)
WITHOUT_NOTE = (
    warnings_are_errors,
    warnings_are_errors_and_stderr_is_closed,
    the_disk_is_full_from_the_middle,
    the_disk_is_full_at_the_end,
    the_loop_closes_all_files,
    the_file_is_replaced,
)


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize(("go_wrong", "says"), WAYS)
def test_training_reaches_its_end(tmp_path: Path, go_wrong: GoWrong, says: tuple[str, ...]) -> None:
    loop = Loop(tmp_path)
    go_wrong(loop)
    assert_the_end_is_reached(loop, says, noted=go_wrong not in WITHOUT_NOTE)


@pytest.mark.usefixtures("undone")
def test_where_warnings_are_errors_the_sentence_goes_to_stderr_and_into_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = Loop(tmp_path)
    warnings_are_errors(loop)
    assert loop.run() == []
    [note] = Run(loop.path).notes
    assert "train_accuracy is no number at step 25" in note
    assert capsys.readouterr().err == f"grokscope: {note}\n"
