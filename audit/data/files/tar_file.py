"""Samples in tar archives, as WebDataset writes them: files of one key are one row. Nothing is unpacked."""

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import pandas as pd

from audit.data.files.contents import NONE, Slices
from audit.data.files.suffixes import suffix_kind
from audit.data.files.table_file import Cell, Table, header, once
from audit.errors import DataError, in_one_line, listed
from audit.file_limits import MIB, MOST_FILES, opened, require_columns, told

MOST_LABEL = MIB
"""Bytes of a JSON or a text beside an image."""
MOST_DIGITS = 256
"""Of a number in a header; tarfile takes the square of them."""
TEXTS = ("cls", "cls2", "txt", "text", "label", "id")
"""Extensions of files that hold one label; `json` holds several."""
HIDDEN = "hidden ones"
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")


@dataclass
class Sample:
    """The files of one key."""

    labels: dict[str, object] = field(default_factory=dict)
    files: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Which archive, first byte and length of each image, sound or clip, by its extension."""


def read_tars(paths: Sequence[Path], column: str | None) -> tuple[Table, Slices]:
    """Return the labels and the images, sounds or clips of archives, in order.

    A key is a path up to the first dot of its last part, as WebDataset has it. The objects in `.json` and the texts
    in `.cls`, `.txt` and the like become columns; files of other kinds, and hidden ones as macOS adds them, are left
    out and named in a note.

    Args:
        paths: Archives, not compressed.
        column: Extension of the files that the model sees, where samples hold several, for instance `jpg`.

    Raises DataError if one is no such archive, holds a link or a device, samples hold several images, or a label twice.
    """
    samples: dict[tuple[int, str], Sample] = {}
    left_out: set[str] = set()
    for whole, path in enumerate(paths):
        try:
            for name, start, length, content in _members(path):
                key, is_hidden, extension = _parts(name)
                if is_hidden:
                    left_out.add(HIDDEN)
                    continue
                sample = samples.setdefault((whole, key), Sample())
                if extension in sample.files:
                    raise ValueError(f"it holds {name!r} twice")
                if content is None and suffix_kind(f"x.{extension}"):
                    sample.files[extension] = whole, start, length
                elif content is None:
                    left_out.add(f".{extension}")
                else:
                    labels = _labels(extension, content, name)
                    if twice := sorted(labels.keys() & sample.labels.keys()):
                        raise ValueError(f"{name!r} says {twice[0]!r} of a sample again")
                    sample.labels |= labels
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"Cannot read {path} as a tar archive: {in_one_line(error)}. Write it again, not compressed."
            ) from None
        if len(samples) > MOST_FILES:
            raise DataError(f"{path} holds more than {MOST_FILES:,} samples. Give fewer archives.")
    return _table(samples, paths, column, left_out)


def _members(path: Path) -> Iterator[tuple[str, int, int, bytes | None]]:
    """Yield the name, first byte and length of each file, and its content where it is a label."""
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        if file.read(6).startswith(COMPRESSED):
            raise ValueError("it is compressed, and its rows cannot be found one by one")
        file.seek(0)
        with tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:  # type: ignore[call-overload]
            for member in archive:
                archive.members = []  # else it keeps all that went by
                if member.size < 0:  # the next one would stand before it, for ever
                    raise ValueError(f"{member.name!r} in it has a negative size")
                if member.isdir():
                    continue
                if not member.isreg() or member.sparse is not None:
                    raise ValueError(f"{member.name!r} in it is a link, a device or the like")
                if member.offset_data + member.size > size:
                    raise ValueError(f"it is cut off in {member.name!r}")
                content = None
                extension = _parts(member.name)[2]
                if extension == "json" or extension in TEXTS:
                    if member.size > MOST_LABEL:
                        raise ValueError(
                            f"{member.name!r} has {told(member.size)}; {told(MOST_LABEL)} are read at most"
                        )
                    here = file.tell()
                    file.seek(member.offset_data)
                    content = file.read(member.size)
                    file.seek(here)
                yield member.name, member.offset_data, member.size, content


class _Bounded:
    """A file of which no header is read that is longer than a name or holds a long number; the rest is passed by."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes."""
        if not 0 <= size <= MIB:
            raise ValueError(f"a header of it has {told(size)}")
        content = self._file.read(size)
        if any(len(digits) > MOST_DIGITS for digits in re.findall(rb"\d+", content)):
            raise ValueError(f"a header of it holds a number of more than {MOST_DIGITS} digits")
        return content


def _parts(name: str) -> tuple[str, bool, str]:
    """Return the key of a file, whether it is hidden, and its extension."""
    path = PurePosixPath(name)
    key, _, extension = path.name.partition(".")
    return str(path.parent / key), not key, extension.lower()


def _labels(extension: str, content: bytes, name: str) -> dict[str, object]:
    text = content.decode("utf-8-sig")
    if "\0" in text:
        raise ValueError(f"{name!r} in it holds numbers in binary, and no text")
    if extension != "json":
        return {extension: text.strip()}
    try:
        held = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name!r} in it is not JSON ({error})") from None
    if not isinstance(held, dict):
        return {"json": held}
    return once([(header(str(key)), value) for key, value in held.items()])


def _table(
    samples: dict[tuple[int, str], Sample], paths: Sequence[Path], column: str | None, left_out: set[str]
) -> tuple[Table, Slices]:
    source = paths[0].name if len(paths) == 1 else f"{len(paths)} archives in {paths[0].parent.resolve().name}"
    extensions = list(dict.fromkeys(one for sample in samples.values() for one in sample.files))
    if column is not None and column.removeprefix(".").lower() in extensions:
        extensions = [column.removeprefix(".").lower()]
    elif column is not None:
        raise DataError(f"No sample of {source} has a file .{column}. Known: {listed(extensions) or 'none'}.")
    several = next((list(one.files) for one in samples.values() if len(set(one.files) & set(extensions)) > 1), None)
    if several:
        raise DataError(
            f"A sample of {source} holds several files that a model may see: {listed(several)}. Say which with "
            f"--image, --audio or --video, for instance --image {several[0]}."
        )
    rows = {key: one for key, one in samples.items() if set(one.files) & set(extensions)}
    if not rows:
        raise DataError(
            f"No sample of {source} holds an image, a sound or a clip. Give archives as WebDataset writes them."
        )
    names = list(dict.fromkeys(name for one in rows.values() for name in one.labels))
    if not names:
        raise DataError(f"No sample of {source} holds a label. Write a .json or .cls beside each of them.")
    require_columns(len(names))
    columns: dict[str, Cell] = {
        name: pd.Series([one.labels.get(name) for one in rows.values()], dtype=object) for name in names
    }
    found = [next((one, place) for one, place in sample.files.items() if one in extensions) for sample in rows.values()]
    called = [f"{key}.{one} in {paths[whole].name}" for (whole, key), (one, _) in zip(rows, found, strict=True)]
    places = np.array([place for _, place in found], dtype=np.int64)
    assert (places[:, 2] != NONE).all()
    notes = []
    if len(rows) < len(samples):
        notes.append(
            f"{len(samples) - len(rows):,} samples of {source} without an image, a sound or a clip were left out"
        )
    if left_out:
        notes.append(f"files of {source} were left out: {listed(sorted(left_out))}")
    return Table(source, columns, None, tuple(notes)), Slices(tuple(paths), places, called)
