"""The files of rows by position, wherever they lie: in a folder, or one behind the other inside larger files."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from audit.data.columns import Ints
from audit.data.temporary import temporary_folder
from audit.errors import DataError, IreneError
from audit.file_limits import MOST_MEMBER, opened, told

NONE = -1
"""Length of a file that a row does not have."""


class Contents(Protocol):
    """n files by position."""

    def __len__(self) -> int:
        """Return n."""

    def name(self, row: int) -> str:
        """Return what messages call a file."""

    def opened(self, row: int) -> AbstractContextManager[IO[bytes]]:
        """Open one to be read. Raises OSError or ValueError where that cannot be done."""

    def take(self, rows: Ints) -> "Contents":
        """Return some of them, in that order."""

    def checked(self, first: int, *, follow_links: bool) -> tuple[str, ...]:
        """Return what to say of where they lie. Raises DataError if none is there, or they are not to be read.

        Args:
            first: Row of the list, from 1, that names the first.
            follow_links: Whether links may lead out of a folder.
        """


@dataclass(frozen=True)
class InFolder:
    """Files of a folder by their paths in it."""

    folder: Path
    names: Sequence[str]
    source: str
    """What messages call the list of them."""

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        """Return its path."""
        return str(self.folder / self.names[row])

    @contextmanager
    def opened(self, row: int) -> Iterator[IO[bytes]]:
        """Open one that is a regular file."""
        with opened(self.folder / self.names[row]) as file:
            yield file

    def take(self, rows: Ints) -> "InFolder":
        """Return some of them, in that order."""
        return replace(self, names=[self.names[row] for row in rows])

    def checked(self, first: int, *, follow_links: bool) -> tuple[str, ...]:
        """Hold them to the folder."""
        if not any(is_file(self.folder / name) for name in self.names):
            raise DataError(
                f"Row {first} of {self.source} names {self.names[0]!r}, which is no file in {self.folder}, and neither "
                "is any other. Give paths as they are inside the folder."
            )
        return links_out(self.folder, self.names, follow=follow_links)


@dataclass(frozen=True)
class Slices:
    """Files inside larger ones, each read by its place alone."""

    wholes: tuple[Path, ...]
    places: Ints
    """Which whole, first byte and length of each, (n, 3); NONE as the length where the row has none."""
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.places)

    def name(self, row: int) -> str:
        """Return what it was called."""
        return self.names[row]

    @contextmanager
    def opened(self, row: int) -> Iterator[IO[bytes]]:
        """Read one into memory."""
        whole, start, length = map(int, self.places[row])
        if length == NONE:
            raise ValueError("the row has none")
        if length > MOST_MEMBER:
            raise ValueError(f"it has {told(length)}; {told(MOST_MEMBER)} are read at most")
        with opened(self.wholes[whole]) as file:  # anew each time: a file that processes share has one position
            file.seek(start)
            content = file.read(length)
        if len(content) < length:
            raise ValueError("it is cut off")
        yield io.BytesIO(content)

    def take(self, rows: Ints) -> "Slices":
        """Return some of them, in that order."""
        return replace(self, places=self.places[rows], names=[self.names[row] for row in rows])

    def checked(self, first: int, *, follow_links: bool) -> tuple[str, ...]:  # noqa: ARG002
        """Find at least one."""
        if (self.places[:, 2] == NONE).all():
            raise DataError(f"{self.name(0)} is empty, and so are all others. Choose another column.")
        return ()


def links_out(folder: Path, names: Sequence[str], *, follow: bool) -> tuple[str, ...]:
    """Return what to say of files that links lead out of a folder; the folder may be a link itself.

    Raises DataError at the first if they are not to be followed.
    """
    root, parents = Path(os.path.realpath(folder)), dict[Path, Path]()
    outside = 0
    for path in (folder / name for name in names if is_file(folder / name)):
        if path.parent not in parents:
            parents[path.parent] = Path(os.path.realpath(path.parent))
        real = parents[path.parent] / path.name
        real = Path(os.path.realpath(real)) if real.is_symlink() else real
        if not real.is_relative_to(root):
            outside += 1
            if not follow:
                raise leads_out(path, folder)
    return (f"{outside:,} images are links to files outside {root.name}",) if outside else ()


def leads_out(path: Path, folder: Path) -> DataError:
    """Return the error of a link that leads out of a folder."""
    name = str(path.relative_to(folder))
    return DataError(
        f"{name!r} in {folder} is a link to a file outside the folder. Copy it there, or, if you made the "
        "links, follow them with --follow-links."
    )


def is_file(path: Path) -> bool:
    """Return whether there is a file of that path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name longer than the disk takes, or with a NUL
        return False


def spooled(files: Iterable[tuple[str, bytes | None]]) -> Slices:
    """Write files, each with its name, one behind the other into a temporary one, so that each is found at once."""
    path = temporary_folder() / "rows"
    names, places, start = [], [], 0
    try:
        with path.open("xb") as file:
            for name, content in files:
                length = NONE if content is None else file.write(content)
                names.append(name)
                places.append((0, start, length))
                start += max(0, length)
    except OSError as error:
        raise IreneError(
            f"{told(start)} of rows do not fit into {path.parent.parent}: {error.strerror}. Name a folder with more "
            "room in TMPDIR."
        ) from None
    return Slices((path,), np.array(places, dtype=np.int64).reshape(-1, 3), names)
