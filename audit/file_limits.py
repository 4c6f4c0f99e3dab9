"""What a stranger's file may ask for: only regular files are opened, and sizes are held to before memory is asked for.

A file of a few bytes can declare a table of terabytes, and a pipe never ends. Each limit is far above what the files
of this work hold, and stands here with its reason.
"""

import os
import re
import stat
import struct
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, Any

MIB = 2**20
FREELY = 512 * MIB
"""Bytes that any file may unfold to: no machine fails for them, and constant columns shrink a thousandfold."""
RATIO = 100
"""Beyond that, bytes unfolded from each one in the file: floats shrink twofold, sparse ones tenfold."""
MOST_JSON = 128 * MIB
"""Bytes of evidence; an audit of 30 attributes at 20 layers has some 70 MiB."""
MOST_NESTED = 1_000_000
"""Lists and objects in a JSON file, each of which takes 64 bytes and more in memory for two in the file."""
MOST_TOML = MIB
"""Bytes of a file that people type."""
MOST_DOTTED = 50
"""Parts of a dotted key of TOML, whose reader takes the square of them."""
MOST_DIRECTORY = 16 * MIB
"""Bytes of a zip archive's list of parts: some 200,000 parts, ten times the tensors of the largest models."""
MOST_HEADER = 16 * MIB
"""Bytes of the list of tensors in a safetensors file: some 100,000 tensors."""
MOST_COLUMNS = 10_000
"""Of a table; the widest that were audited had 5,000."""
MOST_HEAD = 4 * MIB
"""Bytes of the first line of a table, 400 for each column."""
MOST_LINE = 16 * MIB
"""Bytes of any line: a long text or a small image in a cell, not a table without a line break."""
MOST_PIXELS = 2**30 // 12
"""Of an image, 89 million, where Pillow itself begins to warn; each takes up to 12 bytes while it is read."""
MOST_OBLONG = 100
"""Times that an image may be as long as it is wide: scaled to a shorter side of 224 pixels it has 5 million."""
MOST_SCANS = 100
"""Of a JPEG, each of which may take as long as a whole image; encoders write ten."""
MOST_FOOTAGE = 2**38
"""Pixels of all frames of a clip: more than an hour of 1920 by 1080, and minutes to decode."""
MOST_MEMBER = 256 * MIB
"""Bytes of one image, sound or clip inside of a larger file: an image of the most pixels, uncompressed."""
MOST_FILES = 10_000_000
"""Files below a folder, or in archives; the largest image sets have some millions."""
KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
DOTTED = re.compile(rf"""(?:(?:(?<![\w-])[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MOST_DOTTED}}}""")


class NotReadError(OSError):
    """A file that could be opened, and is not: it may never end, or is larger than any of its kind."""

    def __init__(self, fact: str) -> None:
        super().__init__(0, fact)

    def __str__(self) -> str:
        """Return the fact alone."""
        return str(self.strerror)


def require_regular(path: str | os.PathLike[str]) -> None:
    """Raise an OSError if a path leads to something that may never end or never begin: a pipe, a device, a socket."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise NotReadError(f"it is {kind}, no regular file")


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    """Open a regular file to be read as bytes. Raises OSError where there is none."""
    require_regular(path)
    wait_for_nobody = getattr(os, "O_NONBLOCK", 0)  # should the path have become a pipe meanwhile
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | wait_for_nobody)) as file:
        yield file


def read_bounded(path: str | os.PathLike[str], most: int) -> bytes:
    """Return a regular file of at most so many bytes. Raises OSError if it is none, or larger."""
    with opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise NotReadError(f"it has more than {told(most)}")
    return content


def read_json_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a JSON file whose content fits in memory. Raises OSError if it cannot be read, ValueError if it does not.

    How deep it is nested is for its reader to see.
    """
    content = read_bounded(path, MOST_JSON)
    if content.count(b"{") + content.count(b"[") > MOST_NESTED:
        raise ValueError(f"it holds more than {MOST_NESTED:,} lists and objects")
    return content


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML file. Raises OSError if it cannot be read, ValueError if it is none or nested too deep."""
    text = read_bounded(path, MOST_TOML).decode("utf-8-sig")
    if DOTTED.search(text):
        raise ValueError(f"a key in it has more than {MOST_DOTTED} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def require_plausible(declared: int, held: int) -> None:
    """Raise a ValueError if a file of `held` bytes cannot honestly unfold to `declared`, or memory has no room."""
    if declared <= FREELY:
        return
    if declared > RATIO * held:
        raise ValueError(f"it has {told(held)} and declares {told(declared)}")
    room = free_memory()
    if room is not None and declared > room:
        raise ValueError(f"it takes {told(declared)} of memory, and {told(room)} are free")


def require_columns(count: int) -> None:
    """Raise a ValueError if a table is too wide."""
    if count > MOST_COLUMNS:
        raise ValueError(f"it has {count:,} columns; {MOST_COLUMNS:,} are read at most")


def free_memory() -> int | None:
    """Return the bytes that a process can still ask for; None where the system does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    except (OSError, ValueError):
        return None


def zip_parts(file: IO[bytes], size: int) -> list[zipfile.ZipInfo]:
    """Return the parts of a zip archive of `size` bytes, none of which is read.

    Raises ValueError if it names a part twice, so that two readers see different ones, or more than can be
    held; zipfile.BadZipFile if it is no archive.
    """
    _require_short_directory(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # a name in no encoding, a negative place, a number that no disk holds
        raise zipfile.BadZipFile(str(error)) from None
    for one, other in pairwise(sorted(part.filename for part in parts)):
        if one == other:
            raise ValueError(f"it holds two parts {one!r}")
    require_plausible(sum(part.file_size for part in parts), size)
    return parts


def require_short_lines(file: IO[bytes]) -> None:
    """Raise a ValueError if a line of a text is too long; leave the file at its start."""
    length = 0
    while block := file.read(MIB):
        first, *others = re.split(rb"[\r\n]", block) if b"\n" in block or b"\r" in block else [block]
        lengths = [length + len(first), *map(len, others)]
        if max(lengths) > MOST_LINE:
            raise ValueError(f"a line of it is longer than {told(MOST_LINE)}")
        length = lengths[-1]
    file.seek(0)


def told(size: int) -> str:
    """Return a number of bytes as people say it: 600 bytes, 40.0 GB."""
    if size < 1000:
        return f"{size} bytes"
    unit, name = next(((u, n) for u, n in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")) if size >= u), (1000, "kB"))
    return f"{size / unit:,.1f} {name}"


def total(sizes: Iterable[int]) -> int:
    """Return the product of a shape's sizes. Raises ValueError where one is negative."""
    found = list(sizes)
    if any(size < 0 for size in found):
        raise ValueError("a size in it is negative")
    return list(accumulate(found, int.__mul__, initial=1))[-1]


def _require_short_directory(file: IO[bytes], size: int) -> None:
    """Look at the end of an archive, where the length of its list of parts stands, before the list is read."""
    start = max(0, size - 2**16 - 22 - 20)
    file.seek(start)
    end = file.read(size - start)
    place = end.rfind(b"PK\5\6")
    if place < 0 or len(end) < place + 22:
        raise zipfile.BadZipFile("no archive")
    length = struct.unpack_from("<I", end, place + 12)[0]
    if place >= 20 and end[place - 20 :].startswith(b"PK\6\7"):  # some readers follow it, others look right before it
        longer = []
        for here in (struct.unpack_from("<Q", end, place - 12)[0], start + place - 20 - 56):
            file.seek(min(max(0, here), size))
            record = file.read(56)
            if record.startswith(b"PK\6\6") and len(record) == 56:
                longer.append(struct.unpack_from("<Q", record, 40)[0])
        length = max(longer) if longer and length == 2**32 - 1 else max([length, *longer])
    if length > MOST_DIRECTORY:
        raise ValueError(f"its list of parts has {told(length)}; {told(MOST_DIRECTORY)} are read at most")
    file.seek(0)
