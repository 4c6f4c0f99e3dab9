"""Class folders, as torchvision's ImageFolder reads them: the folder that a file lies in is its class."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from audit.data.files.contents import leads_out
from audit.data.files.suffixes import suffix_kind
from audit.data.files.table_file import Table
from audit.data.sources.metadata import Listing
from audit.errors import DataError, listed
from audit.file_limits import MOST_FILES

BY_FOLDERS = "folders `train` and `test`", "Make them, with the rows that it may train on below `train`."


def by_class_folders(folder: Path, root: Path, levels: Sequence[str], *, follow_links: bool) -> Listing:
    """List the images, sounds or clips of a folder by the names of the folders that they lie in, as paths in `root`.

    Classes are in the order of their names as torchvision has it: 10 before 2. Folders below the named levels count
    for nothing; files above them, and files of other kinds, are left out and counted.

    Args:
        levels: Columns that the folders are the classes of, from the outermost.
    """
    names: list[tuple[str, ...]] = []
    left_out = 0
    for path in _files(folder, folder, follow_links=follow_links):
        parts = path.relative_to(folder).parts
        if suffix_kind(path.name) and len(parts) > len(levels):
            names.append(parts)
        else:
            left_out += 1
    if not names:
        raise DataError(
            f"No images, sounds or clips in folders of {folder} that are {len(levels)} deep, one for each of "
            f"{listed(levels)}. Name as many columns in --class-folders as there are folders above the files."
        )
    source = folder.resolve().name
    notes = [f"{', '.join(levels)}: the names of the folders in {source}"]
    if left_out:
        notes.append(
            f"{left_out:,} files of {source} were left out, for they are no images, sounds or clips in such folders"
        )
    columns = {}
    for place, level in enumerate(levels):
        classes = [parts[place] for parts in names]
        columns[level] = pd.Series(pd.Categorical(classes, categories=sorted(set(classes))))
    inside = folder.relative_to(root)
    paths = [(inside / Path(*parts)).as_posix() for parts in names]
    return Listing(Table(source, columns, None, tuple(notes), BY_FOLDERS), paths, str(folder))


def _files(folder: Path, root: Path, *, follow_links: bool) -> list[Path]:
    """Return all files below a folder in order, hidden ones aside."""
    inside = Path(os.path.realpath(root))
    found: list[Path] = []
    seen: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        real = os.path.realpath(where)
        folders[:] = [] if real in seen else [one for one in folders if not one.startswith(".")]
        if real in seen:  # a link to a folder that was seen may lead around for ever
            continue
        seen.add(real)
        for one in folders:
            path = Path(where, one)
            if path.is_symlink() and not follow_links and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise leads_out(path, root)
        found += [Path(where, one) for one in sorted(files) if not one.startswith(".")]
        if len(found) > MOST_FILES:
            raise DataError(f"{root} holds more than {MOST_FILES:,} files. Name a folder of fewer.")
    return found
