"""What a path leads to, told before it is opened: opening a pipe waits for ever, and a device is no file.

And results that are written whole or not at all, those that are kept between runs among them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path

from grokscope.errors import StorageError, UsageError

PIECE_BYTES = 1 << 20
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REFUSALS = {
    errno.ELOOP: "a loop of symbolic links",
    errno.ENAMETOOLONG: "a name that is too long",
    errno.EACCES: "behind a folder that may not be entered",
}


def kind_of(path: Path) -> str:
    """Say in words what is at `path`, through symbolic links: "a file", "nothing", "a folder", "a pipe", …"""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "no file")
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except OSError as error:
        return _REFUSALS.get(error.errno or 0, "out of reach")
    except ValueError:  # a NUL in the name
        return "no name of a file"


def resolved(path: Path) -> Path:
    """Return where an output is written: where its path leads through all symbolic links, which stay as they are.

    Raises StorageError where that is to nowhere.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for a loop
        raise StorageError(f"{path} is {kind_of(path)}; remove it, or name another file") from None


def is_in_the_way(path: Path) -> bool:
    """Tell whether a file is where a run file is to be made.

    Raises UsageError where something else is there: a device whose place a file takes is gone for everyone.
    """
    kind = kind_of(path)
    if kind == "a folder":
        raise UsageError(f"{path} is a folder; name a file in it, such as {path / 'run.h5'}")
    if kind not in ("a file", "nothing"):
        raise UsageError(f"{path} is {kind}; name a file")
    return kind == "a file"


def with_a_name(path: Path) -> Path:
    """The path; of a folder that is given as `.` or `..`, which are no names, what they stand for."""
    return path.resolve() if path.name in ("", "..") else path


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise UsageError where a run file is in the way of a new one that may not replace it."""
    if is_in_the_way(path) and not overwrite:
        raise UsageError(f"{path} exists; go on with it by --resume, or replace it by --overwrite")


def refuse_without_folder(path: Path) -> None:
    """Raise UsageError where the folder that a file is to be put in is not there."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to put {path.name} in; make it first")


def read_text(path: Path, largest: int, encoding: str = "utf-8") -> str:
    """Return the text of a regular file of at most `largest` bytes.

    Raises OSError where it is none, or larger, or cannot be read, and UnicodeDecodeError where it is no text.
    """
    if (kind := kind_of(path)) != "a file":
        raise OSError(errno.EINVAL, f"it is {kind}")
    content = bytearray()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            content += piece
            if len(content) > largest:
                raise OSError(errno.EFBIG, f"it has more than {largest:,} bytes")
    return content.decode(encoding)


def write_result(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all: what was there stays until all of it is written, whatever ends that.

    Raises StorageError where it cannot be written.
    """
    if (kind := kind_of(path)) not in ("a file", "nothing"):
        raise StorageError(f"{path} cannot be written: it is {kind}; name a file")
    real = resolved(path)
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    part = real.with_name(f".grokscope-{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed, or a link that leads elsewhere
        with part.open("xb") as file:
            file.write(data)
        if kind == "a file":
            shutil.copymode(real, part)
        part.replace(real)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def cache_folder() -> Path:
    """Return the user's folder for what is kept between runs: $XDG_CACHE_HOME/grokscope, or ~/.cache/grokscope."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "grokscope"
    try:
        return Path.home() / ".cache" / "grokscope"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "grokscope"


def write_to_cache(path: Path, content: bytes) -> None:
    """Write a file and the folder that it lies in; where that fails, what it keeps is computed again next time."""
    with contextlib.suppress(StorageError):
        make_folder(path.parent)
        write_result(path, content)


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, where they are not there; raises StorageError where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be written: {error.strerror}; make room or choose another place")
