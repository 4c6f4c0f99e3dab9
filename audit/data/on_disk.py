"""Rows that stay on the disk: written to a temporary file, read back piece by piece."""

import mmap
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import Ints
from audit.data.shared_files import mapping, new_file, owned
from audit.errors import IreneError

T = TypeVar("T", bound=np.generic)
Floats = NDArray[np.float32]
HELD = 10_000_000
"""Numbers, rows times width, of preprocessed features or of a split that stay in memory; more go to a file."""
AT_ONCE = 1024
"""Rows that are read from a mapped file before its pages are let go."""


@dataclass
class Store:
    """Rows of unknown width on the disk, filled from the top."""

    most: int
    """Rows that there is room for."""
    filled: int = 0
    values: NDArray[Any] | None = None
    dtype: str = "float32"

    def add(self, rows: NDArray[Any]) -> None:
        """Put rows, (b, d), behind those that are there; the first say how wide all are."""
        if self.values is None:
            with new_file() as file:
                require_room(file.fileno(), np.dtype(self.dtype).itemsize * self.most * rows.shape[1])
                self.values = owned(np.memmap(file, dtype=self.dtype, mode="w+", shape=(self.most, rows.shape[1])))
        self.values[self.filled : self.filled + len(rows)] = rows
        self.filled += len(rows)
        let_go(self.values)

    def take(self) -> NDArray[Any]:
        """Return the rows that were put there, (n, d)."""
        assert self.values is not None  # a pass over no rows has failed before
        return self.values[: self.filled]


def blocks(layer: NDArray[T], rows: int) -> Iterator[NDArray[T]]:
    """Yield a layer, (n, d), in blocks of so many rows; of a mapped file one block at a time is in memory."""
    for start in range(0, len(layer), rows):
        yield layer[start : start + rows]
        let_go(layer)


def in_memory(layer: NDArray[T], rows: Ints, dtype: str | None = None) -> NDArray[T]:
    """Return some rows of a layer in memory, as it holds them or as numbers of another type.

    What else came with them from a mapped file is let go.
    """
    found = np.empty((len(rows), *layer.shape[1:]), dtype=dtype or layer.dtype)
    for start in range(0, len(rows), AT_ONCE):
        found[start : start + AT_ONCE] = layer[rows[start : start + AT_ONCE]]
        let_go(layer)
    return found


def taken(layer: NDArray[T], rows: Ints) -> NDArray[Any]:
    """Return some rows of a layer, (n, d): in memory, or in a file of their own if they are more than HELD numbers."""
    if len(rows) * layer.shape[1] <= HELD:
        return in_memory(layer, rows)
    return filed((in_memory(layer, block) for block in blocks(rows, AT_ONCE)), len(rows))


def filed(parts: Iterable[NDArray[Any]], most: int, dtype: str = "float32") -> NDArray[Any]:
    """Write parts of a layer, (b, d) each, at most so many rows in all, to a temporary file; return it mapped."""
    store = Store(most, dtype=dtype)
    for part in parts:
        store.add(part)
    return store.take()


def require_room(file: int, size: int) -> None:
    """Take room on the disk now: a write into a map of a full disk would end the process without a word."""
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            raise IreneError(
                f"{size / 1e9:.1f} GB of features do not fit into {tempfile.gettempdir()}: {error.strerror}. Name a "
                "folder with more room in TMPDIR."
            ) from None


def let_go(values: NDArray[np.generic]) -> None:
    """Take the pages of a mapped file out of this process's memory; they are read again when they are needed."""
    if sys.platform == "win32" or not isinstance(values, np.memmap):
        return
    mapped = mapping(values)
    if mapped is not None and values.mode != "c":  # a private copy's changes would be lost
        mapped.madvise(mmap.MADV_DONTNEED)
