"""Ways in which a training loop, its model or its disk can go wrong; each loop reaches its end.

Every way gives at most one warning of its kind, whose sentence is also a note in the file where there is one, and
every checkpoint in the file is whole.
"""

from __future__ import annotations

import copy
import math
import os
import pickle
import re
import resource
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils import prune

import grokscope
from grokscope.runfile import Run

STEPS, SABOTAGED = 60, 20


class Loop:
    """A real training loop of 60 steps; a way to go wrong changes it at step 20, or its metrics or steps."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.path = folder / "run.h5"
        self.model: Any = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.sabotage: Callable[[], object] = lambda: None
        self.metrics: Callable[[int], dict[str, Any]] = lambda step: {"train_loss": 1 / (step + 1)}
        self.number: Callable[[int], Any] = lambda step: step
        self.recorder: Any = None
        self.reached = -1

    def run(self) -> list[str]:
        """Train to the end; return what the recorder warned of."""
        x, y = torch.randn(32, 8), torch.randn(32, 4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.recorder = grokscope.Recorder(self.path, self.model, checkpoints_per_decade=5)
            with self.recorder:
                for step in range(STEPS):
                    if step == SABOTAGED:
                        self.sabotage()
                    with suppress(RuntimeError, NotImplementedError):  # a model that was taken apart
                        loss = (self.model(x)[:, :4] - y).square().mean()
                        self.optimizer.zero_grad()
                        loss.backward()
                        self.optimizer.step()
                    self.recorder.step(self.number(step), **self.metrics(step))
                    self.reached = step
        return [str(one.message) for one in caught if "grokscope" in str(one.message)]


WAYS: list[Any] = []


def way(*says: str) -> Callable[[Callable[[Loop], object]], Callable[[Loop], object]]:
    """Register a way to go wrong, and what each of its warnings says, in order."""

    def register(function: Callable[[Loop], object]) -> Callable[[Loop], object]:
        WAYS.append(pytest.param(function, says, id=function.__name__))
        return function

    return register


def from_the_middle(loop: Loop, value: Any) -> None:
    """Give a train_accuracy of some kind from step 20 on, and at each checkpoint before a number."""
    loop.metrics = lambda step: {"train_accuracy": value if step >= SABOTAGED else 0.5}


@way("train_accuracy is no number at step 25 .*None")
def a_metric_is_none(loop: Loop) -> None:
    from_the_middle(loop, None)


@way("train_accuracy is no number")
def a_metric_is_text(loop: Loop) -> None:
    from_the_middle(loop, "0.5")


@way("train_accuracy is no number")
def a_metric_is_a_vector(loop: Loop) -> None:
    from_the_middle(loop, torch.ones(3))


@way("train_accuracy is no number .*ZeroDivisionError")
def a_metric_function_fails(loop: Loop) -> None:
    from_the_middle(loop, lambda: 1 / 0)


@way("train_accuracy is no number .*MemoryError")
def a_metric_function_runs_out_of_memory(loop: Loop) -> None:
    def evaluate() -> float:
        raise MemoryError

    from_the_middle(loop, evaluate)


@way("train_accuracy is no number")
def a_metric_is_complex(loop: Loop) -> None:
    from_the_middle(loop, 1j)


@way("train_accuracy is no number")
def a_metric_is_a_dictionary(loop: Loop) -> None:
    from_the_middle(loop, {"value": 1})


@way()
def a_metric_is_nan(loop: Loop) -> None:
    from_the_middle(loop, math.nan)


@way("train_accuracy is 97.5 at step 25 and taken for percent")
def an_accuracy_is_in_percent(loop: Loop) -> None:
    from_the_middle(loop, 97.5)


@way("train_accuracy is outside 0 to 1")
def an_accuracy_is_negative(loop: Loop) -> None:
    from_the_middle(loop, -0.3)


@way()
def a_metric_comes_late(loop: Loop) -> None:
    loop.metrics = lambda step: {"late": 1} if step >= SABOTAGED else {}


@way()
def metrics_have_names_that_a_file_cannot_hold(loop: Loop) -> None:
    loop.metrics = lambda step: {"train/loss": 1, "..": 2, "a\nb": 3, "step": 4, "self": 5}


@way("None is no step")
def the_step_is_none(loop: Loop) -> None:
    loop.number = lambda step: None if step == SABOTAGED else step


@way("'20' is no step")
def the_step_is_text(loop: Loop) -> None:
    loop.number = lambda step: "20" if step == SABOTAGED else step


@way("20.5 is no step")
def the_step_is_no_whole_number(loop: Loop) -> None:
    loop.number = lambda step: step + 0.5 if step == SABOTAGED else float(step)


@way("-20 is no step")
def the_step_is_negative(loop: Loop) -> None:
    loop.number = lambda step: -step if step == SABOTAGED else step


@way("is no step")
def the_step_is_too_large_for_a_file(loop: Loop) -> None:
    loop.number = lambda step: 2**70 if step == SABOTAGED else step


@way()
def the_step_is_a_tensor(loop: Loop) -> None:
    loop.number = lambda step: torch.tensor(step)


@way("the step went back from 19 to 0")
def the_step_starts_anew_each_epoch(loop: Loop) -> None:
    loop.number = lambda step: step % 20


@way()
def the_step_repeats(loop: Loop) -> None:
    loop.number = lambda step: step // 4


@way()
def a_layer_is_replaced(loop: Loop) -> None:
    def replace() -> None:
        loop.model[2] = torch.nn.Linear(16, 4)
        loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.1)

    loop.sabotage = replace


@way(r"layer 2 has shape \(5, 16\) instead of \(4, 16\) at step 25")
def a_layer_is_resized(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.__setitem__(2, torch.nn.Linear(16, 5))


@way("layer 2 is gone at step 25")
def a_layer_is_removed(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.__delitem__(2)


@way("holds no float tensor")
def all_layers_are_removed(loop: Loop) -> None:
    def remove() -> None:
        del loop.model[2], loop.model[0]

    loop.sabotage = remove


@way("new layers at step 25, .*: 3")
def a_layer_is_added(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.append(torch.nn.Linear(4, 4))


@way()
def a_layer_is_pruned(loop: Loop) -> None:
    loop.sabotage = lambda: prune.l1_unstructured(loop.model[0], "weight", amount=0.5)


@way()
def a_layer_is_normalised(loop: Loop) -> None:
    loop.sabotage = lambda: torch.nn.utils.parametrizations.weight_norm(loop.model[0])


@way("the weights at step 59 are those of 2 checkpoints before")
def the_weights_become_nan(loop: Loop) -> None:
    loop.sabotage = lambda: torch.nn.init.constant_(loop.model[0].weight, math.nan)


@way("parts of the model have no values at step 25")
def the_model_goes_to_the_meta_device(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.to("meta")


@way("the weights at step 59 are those of 2 checkpoints before")
def the_model_becomes_half_precision(loop: Loop) -> None:
    loop.sabotage = lambda: loop.model.bfloat16()


@way("parts of the model have no values at step 0 ")
def the_model_is_lazy(loop: Loop) -> None:
    loop.model = torch.nn.Sequential(torch.nn.LazyLinear(16), torch.nn.Tanh(), torch.nn.LazyLinear(4))
    loop.optimizer = torch.optim.SGD(loop.model.parameters(), lr=0.1)
    forward = loop.model.forward

    def late(x: torch.Tensor) -> torch.Tensor:  # the first steps are told before anything has run
        if loop.reached < 5:
            raise RuntimeError
        return forward(x)  # type: ignore[no-any-return]

    loop.model.forward = late


@way("ValueError: of the user's own")
def the_state_dict_fails(loop: Loop) -> None:
    def fail(*_: object) -> None:
        raise ValueError("of the user's own")

    loop.sabotage = lambda: loop.model.register_state_dict_pre_hook(fail)


@way("the weights at step 2 are those of 2 checkpoints before")
def another_model_is_trained(loop: Loop) -> None:
    loop.optimizer = torch.optim.SGD(copy.deepcopy(loop.model).parameters(), lr=0.1)


@way("no room for .*File too large")
def the_disk_is_full_from_the_start(loop: Loop) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))


@way("no room for .*File too large")
def the_disk_is_full_from_the_middle(loop: Loop) -> None:
    loop.sabotage = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))


@way("no room for .*File too large")
def the_disk_is_full_for_a_while(loop: Loop) -> None:
    def fill(step: int) -> dict[str, Any]:
        room = 100 if 20 <= step < 40 else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        return {}

    loop.metrics = fill


@way("no room for .*File too large")
def the_disk_is_full_at_the_end(loop: Loop) -> None:
    def fill(step: int) -> dict[str, Any]:
        if step == STEPS - 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        return {}

    loop.metrics = fill


@way("Bad file descriptor", "Bad file descriptor")
def the_loop_closes_all_files(loop: Loop) -> None:
    loop.sabotage = lambda: os.close(loop.recorder._recording._writer._file._descriptor)


@way("was taken away or replaced")
def the_file_is_deleted(loop: Loop) -> None:
    loop.sabotage = lambda: loop.path.unlink()


@way("was taken away or replaced")
def the_file_is_replaced(loop: Loop) -> None:
    def replace() -> None:
        shutil.copy(loop.path, loop.path.with_suffix(".copy"))
        loop.path.with_suffix(".copy").replace(loop.path)

    loop.sabotage = replace


@way("was taken away or replaced")
def the_folder_is_deleted(loop: Loop) -> None:
    (loop.path.parent / "sub").mkdir()
    loop.path = loop.path.parent / "sub" / "run.h5"
    loop.sabotage = lambda: shutil.rmtree(loop.path.parent)


@way()
def the_lock_is_deleted(loop: Loop) -> None:
    loop.sabotage = lambda: (loop.path.parent / "run.h5.lock").unlink()


@way()
def the_loop_changes_its_folder(loop: Loop) -> None:
    os.chdir(loop.path.parent)
    loop.path = Path("run.h5")
    loop.sabotage = lambda: os.chdir("/")


@way("exists")
def another_run_takes_the_name_first(loop: Loop) -> None:
    loop.number = lambda step: loop.path.write_text("mine") and step if step == 0 else step


@way("is being written by process")
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


@way()
def a_fork_leaves_the_block(loop: Loop) -> None:
    loop.sabotage = lambda: in_a_fork(lambda: loop.recorder.__exit__(None, None, None))


@way()
def a_fork_goes_on_training(loop: Loop) -> None:
    loop.sabotage = lambda: in_a_fork(lambda: [loop.recorder.step(step) for step in range(100, 2000)])


@way()
def copies_of_the_recorder_are_used(loop: Loop) -> None:
    def use_copies() -> None:
        for other in (pickle.loads(pickle.dumps(loop.recorder)), copy.deepcopy(loop.recorder)):
            assert not other.step(30)
            other.close()

    loop.sabotage = use_copies


@way()
def it_is_closed_early_and_told_on(loop: Loop) -> None:
    loop.sabotage = lambda: (loop.recorder.close(), loop.recorder.close())


@way()
def a_signal_closes_it_amid_a_checkpoint(loop: Loop) -> None:
    def terminate() -> float:
        os.kill(os.getpid(), signal.SIGUSR1)
        return 0.5

    signal.signal(signal.SIGUSR1, lambda *_: loop.recorder.close("interrupted"))
    from_the_middle(loop, terminate)


@way()
def many_threads_tell_steps(loop: Loop) -> None:
    def tell() -> None:
        threads = [threading.Thread(target=loop.recorder.step, args=(SABOTAGED,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    loop.sabotage = tell


@way("the weights at step 2 are those of 2 checkpoints before", "train_accuracy is no number")
def gradients_are_off(loop: Loop) -> None:
    torch.set_grad_enabled(False)
    from_the_middle(loop, None)


@way()
def warnings_are_errors(loop: Loop) -> None:
    loop.sabotage = lambda: warnings.simplefilter("error")
    from_the_middle(loop, None)


@way()
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


@pytest.fixture
def undone(tmp_path: Path) -> Iterator[None]:
    """Take back what a way changed in this process."""
    limits, folder, stderr, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        Path.cwd(),
        sys.stderr,
        signal.getsignal(signal.SIGUSR1),
    )
    with restored_gradients():
        yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    os.chdir(folder)
    sys.stderr = stderr
    signal.signal(signal.SIGUSR1, handler)


@contextmanager
def restored_gradients() -> Iterator[None]:
    enabled = torch.is_grad_enabled()
    yield
    torch.set_grad_enabled(enabled)


@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize(("go_wrong", "says"), WAYS)
def test_training_reaches_its_end(
    tmp_path: Path, go_wrong: Callable[[Loop], object], says: tuple[str, ...]
) -> None:
    loop = Loop(tmp_path)
    go_wrong(loop)
    told = loop.run()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert loop.reached == STEPS - 1
    assert len(told) == len(says), told
    for sentence, pattern in zip(told, says, strict=True):
        assert re.search(pattern, sentence), sentence
    path = tmp_path / loop.path
    with suppress(grokscope.GrokscopeError):
        run = Run(path)
        assert not list(path.parent.glob(".*.tmp"))
        for index in range(run.num_checkpoints):
            run.verify(index)
        if go_wrong not in WITHOUT_NOTE:
            assert run.notes == tuple(sentence.removeprefix("grokscope: ") for sentence in told)


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
