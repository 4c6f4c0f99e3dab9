"""Tables that name a file for each row: the Hugging Face image-folder convention, and what people write instead."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PureWindowsPath
from unicodedata import normalize

from audit.data.cells import clean, fold
from audit.data.files.contents import is_file, links_out
from audit.data.files.table_file import FILE_NAME, Table, read_table
from audit.data.sources.catalogue import METADATA
from audit.data.sources.file_rows import Asked
from audit.errors import DataError, UnknownNameError, listed

SAID_OTHERWISE = frozenset(
    {"filename", "file", "path", "file_path", "filepath", "image", "image_path", "image_name", "image_file", "image_id"}
    | {"img", "img_path", "img_name", "audio", "audio_path", "audio_file", "wav", "wav_path"}
    | {"video", "video_path", "video_file", "clip", "clip_path"}
)
"""Names of columns, in small letters, that people give to paths of files instead of `file_name`."""


@dataclass(frozen=True)
class Listing:
    """Files of a folder, and their labels."""

    table: Table
    """Labels, and `split` where something says it, of n rows."""
    names: list[str]
    """Path of each in the folder, n."""
    source: str
    """What messages on a row call the list."""


def metadata_of(folder: Path) -> Path | None:
    """Return the metadata file of a folder, if it has one. Raises DataError if it has several."""
    found = [folder / name for name in METADATA if (folder / name).is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}. Keep one of them.")
    return found[0] if found else None


def by_metadata(metadata: Path, root: Path, asked: Asked) -> Listing:
    """List the files of a folder by its metadata, as paths in `root`, which is that folder or one above it.

    Raises DataError if no column, or none that was named, holds paths, or one of them leaves the folder.
    """
    folder = metadata.parent
    links_out(folder, [metadata.name], follow=asked.follow_links)
    inside = folder.relative_to(root).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    table = read_table(metadata, source=f"{root.resolve().name}/{prefix}{metadata.name}")
    column = asked.column or _column(table, metadata)
    listing = by_column(table, column, folder, str(metadata))
    if column not in (FILE_NAME, asked.column):
        note = f"the files of {table.source} were found by its column {column!r}, for want of `file_name`"
        listing = replace(listing, table=replace(listing.table, notes=(*listing.table.notes, note)))
    return replace(listing, names=[prefix + name for name in listing.names])


def by_column(table: Table, column: str, folder: Path, source: str) -> Listing:
    """List files by a column of their paths in a folder. Raises DataError if one is blank or leaves it."""
    if column not in table.columns:
        raise UnknownNameError(f"column of {table.source}", column, table.columns)
    kind = "`file_name`" if column == FILE_NAME else repr(column)
    names = [_inside(name, row, folder, source, kind) for row, name in enumerate(table.as_written(column), 1)]
    columns = {name: cells for name, cells in table.columns.items() if name != column}
    if not columns:
        raise DataError(f"{source} holds nothing beside {kind}. Add a column of labels.")
    return Listing(replace(table, columns=columns, typed=None), names, source)


def _column(table: Table, metadata: Path) -> str:
    if FILE_NAME in table.columns:
        return FILE_NAME
    found = [
        name
        for name in table.columns
        if fold(name) in SAID_OTHERWISE and _names_files(table.as_written(name)[:20], metadata.parent)
    ]
    if len(found) > 1:
        raise DataError(
            f"The columns {listed(found)} of {metadata} all name files. Say which is the model's input with --image, "
            f"for instance --image {found[0]}."
        )
    if not found:
        raise DataError(
            f"No `file_name` column in {metadata}. Add one with each image's path inside {metadata.parent}, or name "
            "the column that holds it with --image."
        )
    return found[0]


def _names_files(written: list[str], folder: Path) -> bool:
    return any(is_file(folder / one) for name in written for one in _spellings(name))


def _inside(written: str, row: int, folder: Path, source: str, column: str) -> str:
    """Return the path of a file inside the folder, as the disk spells it; see `_spellings`."""
    spellings = _spellings(written)
    if not spellings:
        raise DataError(f"Row {row} of {source} has no {column}. Name its image, or take the row out.")
    found = next((one for one in spellings if is_file(folder / one)), spellings[-1])
    path = PurePath(found)
    if path.is_absolute() and ".." not in path.parts and path.is_relative_to(folder.absolute()):
        return path.relative_to(folder.absolute()).as_posix()
    if path.anchor or ".." in path.parts or ("\\" in found and PureWindowsPath(found).anchor):
        raise DataError(f"Row {row} of {source} names {clean(written)!r}, outside the folder. Give a path inside it.")
    return found


def _spellings(written: str) -> list[str]:
    """Return what a file may be called that a cell names, the likeliest first; none if the cell is blank.

    First the name to the letter, then in either form of Unicode, as macOS and other systems write an umlaut, then
    without blanks around it; at last all of these with the backslashes of Windows as slashes.
    """
    name = clean(written)
    names = [one for given in (written, name) for one in (given, *(normalize(form, given) for form in ("NFC", "NFD")))]
    windows = [PureWindowsPath(one) for one in names if "\\" in one]
    return [*dict.fromkeys(names + [one.as_posix() for one in windows if not one.anchor])] if name else []
