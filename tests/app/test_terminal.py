"""The app in a real terminal: tmux holds it, keys are typed, and its screen is read back."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.app.conftest import STEPS

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")


class Terminal:
    """One tmux session on a server of its own, with a shell in it."""

    def __init__(self, width: int, height: int) -> None:
        self.server = f"grokscope-{uuid.uuid4().hex[:8]}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "sh")
        self.tmux("set", "-g", "escape-time", "0")

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.server, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout

    def type(self, line: str) -> None:
        self.tmux("send-keys", line, "Enter")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait(self, *words: str, seconds: float = 20) -> str:
        """The screen, once it shows all the words."""
        end = time.monotonic() + seconds
        while not all(word in (screen := self.screen()) for word in words):
            assert time.monotonic() < end, f"{words} never came:\n{screen}"
            time.sleep(0.1)
        return screen

    def wait_without(self, word: str, seconds: float = 20) -> str:
        """The screen, once it does not show the word any more."""
        end = time.monotonic() + seconds
        while word in (screen := self.screen()):
            assert time.monotonic() < end, f"{word} never went:\n{screen}"
            time.sleep(0.1)
        return screen


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    held = Terminal(80, 24)
    yield held
    subprocess.run(["tmux", "-L", held.server, "kill-server"], capture_output=True, timeout=20)


def command(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-m", "grokscope", *map(str, arguments)])


def test_keys_resize_and_quitting(terminal: Terminal, analysed_run: Path) -> None:
    terminal.type(f"cd {shlex.quote(str(ROOT))}; export COLUMNS=80 LINES=24; clear")
    terminal.type(f"{command('view', analysed_run)}; echo ended $?")
    terminal.wait("ESD fc1", "100,000")
    terminal.press("g", "Right")
    terminal.wait("2/12")
    terminal.press("]")
    terminal.wait("G GROKKING")
    terminal.tmux("resize-window", "-x", "130", "-y", "40")
    terminal.wait("p naive", "why")
    terminal.tmux("resize-window", "-x", "50", "-y", "15")
    terminal.wait("needs 60×20")
    terminal.tmux("resize-window", "-x", "80", "-y", "24")
    terminal.wait("ESD fc1", f"{STEPS[7]:,}")
    terminal.press("?")
    terminal.wait("this help")
    terminal.press("Escape")
    terminal.wait_without("this help")
    terminal.press("4")
    terminal.wait("accuracy")
    terminal.press("q")
    terminal.wait("ended 0")


def test_suspend_and_resume(terminal: Terminal, analysed_run: Path) -> None:
    """With the script that has started it, as `time` or a launcher of virtual environments would."""
    terminal.type("case $- in *m*) jobs=1;; *) jobs=0;; esac; echo jobs: ${jobs}, $((40+2)) of 42")
    if "jobs: 0" in terminal.wait("42 of 42"):
        pytest.skip("sh has no jobs where /dev/tty is not the terminal")
    view = f"{command('view', analysed_run)}; true"
    terminal.type(f"cd {shlex.quote(str(ROOT))}; clear; sh -c {shlex.quote(view)}")
    terminal.wait("ESD fc1")
    terminal.press("C-z")
    terminal.wait_without("ESD fc1")
    terminal.type("echo $((40+2)) in the shell")
    terminal.wait("42 in the shell")
    terminal.type("fg")
    terminal.wait("ESD fc1")
    terminal.press("g")
    terminal.wait("1/12")
    terminal.press("C-c")
    terminal.wait_without("ESD fc1")


def test_python_is_printed_after_quitting(terminal: Terminal, analysed_run: Path) -> None:
    terminal.type(f"cd {shlex.quote(str(ROOT))}; clear; {command('view', analysed_run)} > $(tty)")
    terminal.wait("ESD fc1")
    terminal.press("d")
    terminal.wait("run = grokscope.open(", "'esd', step=step")


def test_a_viewer_that_no_shell_could_bring_back_is_not_suspended(analysed_run: Path) -> None:
    """As with `ssh -t host grokscope view …` or a pane of its own: it must not stop for ever."""
    master, slave = pty.openpty()
    viewer = start(["view", str(analysed_run)], slave, {"TERM": "xterm-256color"})
    os.close(slave)
    read_until(master, lambda text: "ESD" in text)
    os.write(master, b"\x1a")
    assert "no shell" in read_until(master, lambda text: "no shell" in text)
    os.write(master, b"q")
    read_until(master, lambda text: viewer.poll() is not None)
    os.close(master)
    assert viewer.wait(timeout=20) == 0


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_gets_a_sentence(analysed_run: Path, term: str) -> None:
    code, output = in_pty(["view", str(analysed_run)], {"TERM": term})
    assert code == 2
    assert "--screenshot" in output
    assert "grokscope show" in output
    assert "\x1b[" not in output


def test_a_terminal_that_goes_away_ends_the_app(analysed_run: Path) -> None:
    """What happens to the app when the ssh connection breaks: it must not stay behind, spinning."""
    master, slave = pty.openpty()
    process = start(["view", str(analysed_run)], slave, {"TERM": "xterm-256color"})
    os.close(slave)
    read_until(master, lambda text: "fc1" in text)
    os.close(master)
    assert process.wait(timeout=15) is not None


def start(arguments: list[str], terminal: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "grokscope", *arguments], stdin=terminal, stdout=terminal, stderr=terminal,
        env={**os.environ, **environment}, cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(terminal, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip


def read_until(master: int, enough: Callable[[str], bool], seconds: float = 20) -> str:
    text, end = "", time.monotonic() + seconds
    while not enough(text) and time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                text += os.read(master, 65536).decode(errors="replace")
            except OSError:
                break
    return text


def in_pty(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    master, slave = pty.openpty()
    process = start(arguments, slave, environment)
    os.close(slave)
    text = read_until(master, lambda text: process.poll() is not None and text.endswith("\n"))
    os.close(master)
    return process.wait(timeout=15), text


@pytest.mark.parametrize("before", [[], ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]], ids=["none", "ignored"])
def test_a_terminal_that_is_gone_without_a_hangup_ends_the_viewer(analysed_run: Path, before: list[str]) -> None:
    """A viewer in a session of its own is sent no hangup; it must not go on reading a dead terminal."""
    master, slave = pty.openpty()
    viewer = subprocess.Popen(
        [*before, sys.executable, "-m", "grokscope", "view", str(analysed_run)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while b"fc1" not in seen:
        seen += os.read(master, 1 << 16)
    os.close(master)
    try:
        assert viewer.wait(timeout=20) == -signal.SIGHUP
    finally:
        viewer.kill()


def bytes_of(master: int, quiet: float = 0.4) -> int:
    """How many bytes come until none has come for a while; the first may take its time on a busy machine."""
    count, patience = 0, 20.0
    while select.select([master], [], [], patience)[0]:
        count += len(os.read(master, 1 << 16))
        patience = quiet
    return count


def test_a_quiet_run_sends_nothing_a_step_little_and_q_leaves(analysed_run: Path) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "", "LINES": ""}
    viewer = start(["view", str(analysed_run)], slave, environment)
    os.close(slave)
    read_until(master, lambda text: "ESD" in text)
    looks = 0
    while select.select([master], [], [], 3.0)[0]:  # what is drawn last, once all is read
        os.read(master, 1 << 16)
        looks += 1
        assert looks < 50, "nothing changed, nothing is sent"
    for key in (b"\x1b[D", b"\x1b[D", b"2", b"\x1b[D", b"4", b"\x1b[D"):
        os.write(master, key)
        assert 0 < bytes_of(master) <= 20_000
    os.write(master, b"q")
    read_until(master, lambda text: viewer.poll() is not None)
    assert viewer.wait(timeout=20) == 0
    os.close(master)
