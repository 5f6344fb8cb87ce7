"""What a path leads to, told before it is opened: opening a pipe waits for ever, and a device is no file."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

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
