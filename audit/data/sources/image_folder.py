"""A folder of images, sounds or clips: listed by a metadata file, or by folders for classes or parts."""

import os
from pathlib import Path

from audit.column_names import split_names
from audit.data.files.contents import InFolder, leads_out
from audit.data.files.parts import PARTS
from audit.data.files.suffixes import suffix_kind
from audit.data.files.table_file import joined
from audit.data.labelled import LabelledData, Part
from audit.data.sources.catalogue import METADATA_FILES, TABLES
from audit.data.sources.class_folders import BY_FOLDERS, by_class_folders
from audit.data.sources.file_rows import Asked, rows
from audit.data.sources.metadata import Listing, by_metadata, metadata_of
from audit.errors import DataError, listed


def load(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a folder of images, sounds or clips: a row a file.

    What lists them is `metadata.csv`, `.jsonl` or `.parquet` with the paths in `file_name`; or folders that stand for
    the classes of a column that `class_folders` names; or folders `train` and `test` or `val` of one of these, which
    part is then the first and the others.

    Args:
        part: As of a table.
        given: Options of audit.data.sources.file_rows.Asked.

    Raises DataError if nothing says the labels, or a transform is missing, a path or link leaves the folder, no file
    is there, or an image's numbers have no known range.
    """
    path = Path(path)
    asked = Asked.of(given, str(path), without=("data_root",))
    listing = _listing(path, path, asked)
    return rows(path.resolve().name, listing.table, InFolder(path, listing.names, listing.source), part, asked)


def _listing(folder: Path, root: Path, asked: Asked) -> Listing:
    levels = split_names(asked.class_folders)
    metadata = metadata_of(folder)
    if metadata and levels:
        raise DataError(f"{metadata} says the labels, and --class-folders that folders do. Leave one of them out.")
    if metadata:
        return by_metadata(metadata, root, asked)
    folders = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    parts = [one for one in folders if one.lower() in PARTS] if folder == root else []
    splits = {PARTS[one.lower()] for one in parts}
    if len(splits) > 1 and len(parts) < len(folders):
        others = listed([one for one in folders if one not in parts], 3)
        raise DataError(
            f"{folder} holds {listed(parts)} beside {others}: whether these are classes or parts cannot be told. Move "
            "the others elsewhere."
        )
    if parts and len(parts) == len(folders):
        return _by_parts(folder, parts, asked)
    if levels:
        return by_class_folders(folder, root, levels, follow_links=asked.follow_links)
    raise _nothing_lists(folder, folders)


def _by_parts(folder: Path, parts: list[str], asked: Asked) -> Listing:
    for one in parts:
        if not asked.follow_links and not Path(os.path.realpath(folder / one)).is_relative_to(os.path.realpath(folder)):
            raise leads_out(folder / one, folder)
    found = {one: _listing(folder / one, folder, asked) for one in parts}
    splits = {one: PARTS[one.lower()] for one in parts}
    source = folder.resolve().name
    table = joined({one: listing.table for one, listing in found.items()}, splits, source, BY_FOLDERS)
    return Listing(table, [name for listing in found.values() for name in listing.names], str(folder))


def _nothing_lists(folder: Path, folders: list[str]) -> DataError:
    fact = f"No {METADATA_FILES} in {folder}."
    tables = sorted(one.name for one in folder.iterdir() if one.suffix.lower() in TABLES)
    if len(tables) == 1:
        return DataError(
            f"{fact} If {tables[0]} lists its files, give that as --data, and the column of their paths as --image."
        )
    holding = [one for one in folders if any(suffix_kind(file.name) for file in (folder / one).rglob("*.*"))]
    if holding:
        return DataError(
            f"{fact} If its folders {listed(holding, 3)} are classes, name the column that they are of: "
            "--class-folders NAME."
        )
    return DataError(f"{fact} Add one with `file_name` and the labels.")
