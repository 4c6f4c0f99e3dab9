"""Mapped files with a name, so that processes that work for this one open them instead of being sent what they hold."""

import mmap
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from audit.data.temporary import PREFIX, folder_of_a_block

FOLDER: ContextVar[Path | None] = ContextVar("FOLDER", default=None)
"""Where mapped files get a name; None: they have none, and are gone with the process whatever becomes of it."""
_OWNED: "dict[str, weakref.finalize[[str], Any]]" = {}
"""By path, what deletes a file once nothing in this process maps it any more."""


@dataclass(frozen=True)
class Place:
    """Where the values of an array lie."""

    path: str
    offset: int
    """Bytes before them."""
    dtype: str
    shape: tuple[int, ...]

    def open(self, mode: Literal["r", "c"] = "r") -> NDArray[Any]:
        """Map them: to be read, or as a copy that changes nothing in the file."""
        return np.memmap(self.path, np.dtype(self.dtype), mode, self.offset, self.shape)


@contextmanager
def shared_files(inside: Path | None = None) -> Iterator[Path]:
    """Yield a new folder in which mapped files get a name during a block; it goes with all that is in it."""
    with ExitStack() as stack:
        root = stack.enter_context(folder_of_a_block()) if inside is None else inside
        own = tempfile.TemporaryDirectory(prefix=PREFIX, dir=root, ignore_cleanup_errors=True)
        yield stack.enter_context(named_in(Path(stack.enter_context(own)).resolve()))


@contextmanager
def named_in(folder: Path) -> Iterator[Path]:
    """Give mapped files a name in a folder during a block, in this thread."""
    before = FOLDER.set(folder)
    try:
        yield folder
    finally:
        FOLDER.reset(before)


def new_file() -> AbstractContextManager[Any]:
    """Open a temporary file to be mapped, with a name if there is a folder for it."""
    folder = FOLDER.get()
    if folder is None:
        return tempfile.TemporaryFile()  # without a name; the map keeps it until nobody needs it
    return tempfile.NamedTemporaryFile(dir=folder, prefix="rows-", delete=False)


def mapping(values: NDArray[Any]) -> mmap.mmap | None:
    """Return the map that an array, or rows of one, lie in."""
    found: object = values
    while isinstance(found, np.ndarray):  # some rows of a file are a view of all of it
        found = found.base
    return found if isinstance(found, mmap.mmap) else None


def owned(values: np.memmap[Any, Any]) -> np.memmap[Any, Any]:
    """Return mapped values, whose file, if it has a name, is deleted once nothing maps it here any more."""
    path, mapped = values.filename, mapping(values)
    if path is not None and mapped is not None:
        _OWNED[str(path)] = weakref.finalize(mapped, _delete, str(path))
    return values


def given_away(path: str) -> None:
    """Leave the file to another process, which deletes it."""
    if path in _OWNED:
        _OWNED.pop(path).detach()


def place_of(values: NDArray[Any]) -> Place | None:
    """Return where the values of an array lie in a file that other processes can open; None if in none."""
    mapped = mapping(values)
    if not isinstance(values, np.memmap) or mapped is None or values.filename is None or values.mode == "c":
        return None
    if not values.flags.c_contiguous or not values.size or not Path(values.filename).is_file():
        return None
    first = np.frombuffer(mapped, dtype=np.uint8).ctypes.data  # where the map begins, at a page of the file
    begin = values.offset - values.offset % mmap.ALLOCATIONGRANULARITY
    return Place(str(values.filename), begin + values.ctypes.data - first, values.dtype.str, values.shape)


def _delete(path: str) -> None:
    _OWNED.pop(path, None)
    Path(path).unlink(missing_ok=True)
