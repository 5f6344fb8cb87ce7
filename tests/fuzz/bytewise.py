"""Damage that knows nothing of formats: what disks, networks and other programs do to any file."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

BLOCK = 512
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
HEADER = 4096
GARBAGE = ("step,accuracy\n", "null", "{}", "[" * 5000, "\x1b[2J\x1b]0;owned\x07", "é\x00\ud7ff", "NaN,inf,-1\n")


def bit_flips(path: Path, random: Random) -> None:
    """One to eight bits anywhere."""
    content = bytearray(path.read_bytes())
    for _ in range(random.randint(1, 8)):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def header_flips(path: Path, random: Random) -> None:
    """One to four bytes near the beginning, where formats describe themselves."""
    content = bytearray(path.read_bytes())
    for _ in range(random.randint(1, 4)):
        content[random.randrange(min(HEADER, len(content)))] = random.randrange(256)
    path.write_bytes(content)


def extreme_sizes(path: Path, random: Random) -> None:
    """A field of a header that holds another size: nothing, or more than there can be."""
    content = bytearray(path.read_bytes())
    length = random.choice((1, 2, 4, 8))
    at = random.randrange(max(min(HEADER, len(content)) - length, 1))
    content[at : at + length] = (random.choice(EXTREMES) % 256**length).to_bytes(length, "little")
    path.write_bytes(content)


def swapped_fields(path: Path, random: Random) -> None:
    """Two fields of eight bytes, near the beginning, that have changed places."""
    content = bytearray(path.read_bytes())
    last = max(min(HEADER, len(content)) // 8 - 1, 1)
    one, other = (8 * random.randrange(last) for _ in range(2))
    content[one : one + 8], content[other : other + 8] = content[other : other + 8], content[one : one + 8]
    path.write_bytes(content)


def truncation(path: Path, random: Random) -> None:
    """A copy that broke off."""
    os.truncate(path, random.randrange(path.stat().st_size))


def appended(path: Path, random: Random) -> None:
    """Something more behind the end."""
    with path.open("ab") as file:
        file.write(random.randbytes(random.randint(1, 5000)))


def zeroed_block(path: Path, random: Random) -> None:
    """Sectors that were never written."""
    _overwrite(path, random, lambda content, length: bytes(length))


def noise_block(path: Path, random: Random) -> None:
    """Sectors of something else."""
    _overwrite(path, random, lambda content, length: random.randbytes(length))


def doubled_block(path: Path, random: Random) -> None:
    """A sector in another one's place."""

    def another(content: bytes, length: int) -> bytes:
        start = random.randrange(max(len(content) - length, 1))
        return content[start : start + length]

    _overwrite(path, random, another)


def inserted_block(path: Path, random: Random) -> None:
    """A piece that is there twice, so that all behind it has moved."""
    content = path.read_bytes()
    at = random.randrange(len(content))
    path.write_bytes(content[:at] + content[max(at - random.randint(1, BLOCK), 0) :])


def removed_block(path: Path, random: Random) -> None:
    """A piece that is missing, so that all behind it has moved."""
    content = path.read_bytes()
    at = random.randrange(len(content))
    path.write_bytes(content[:at] + content[at + random.randint(1, BLOCK) :])


def garbage(path: Path, random: Random) -> None:
    """A text, in place of the file or of its beginning."""
    text = random.choice(GARBAGE).encode(errors="surrogatepass") * random.choice((1, 1, 50))
    path.write_bytes(text + (path.read_bytes()[len(text) :] if random.random() < 0.5 else b""))


def empty(path: Path, random: Random) -> None:
    """No bytes at all."""
    path.write_bytes(b"")


def _overwrite(path: Path, random: Random, piece: object) -> None:
    content = bytearray(path.read_bytes())
    length = min(BLOCK * random.choice((1, 1, 2, 8)), len(content))
    at = random.randrange(len(content)) // BLOCK * BLOCK
    new = piece(bytes(content), length)[: len(content) - at]  # type: ignore[operator]
    content[at : at + len(new)] = new
    path.write_bytes(content)


BYTEWISE = (
    bit_flips, header_flips, extreme_sizes, swapped_fields, truncation, appended, zeroed_block, noise_block,
    doubled_block, inserted_block, removed_block, garbage, empty,
)  # fmt: skip
