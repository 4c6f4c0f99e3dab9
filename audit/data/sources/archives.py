"""Files with their labels inside other files: WebDataset archives, and folders that save_to_disk wrote."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.data.cells import Written
from audit.data.files.contents import leads_out, spooled
from audit.data.files.parts import PARTS, part_of_name
from audit.data.files.saved_dataset import parts_of, read_saved
from audit.data.files.suffixes import Kind, kind_of
from audit.data.files.table_file import joined
from audit.data.files.tar_file import read_tars
from audit.data.labelled import LabelledData, Part
from audit.data.parts import SPLIT
from audit.data.sources.file_rows import Asked, rows
from audit.errors import DataError, UnknownNameError, listed

KINDS: dict[str, Kind] = {"Audio": "audio", "Video": "video"}
BY_PARTS = "parts `train` and `test`", "Save a DatasetDict of both."


def load_tars(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a `.tar` file, or a folder of them, whose names tell the part: `train-0000.tar`, `val-0000.tar`.

    Args:
        part: By the names of the archives, or by a label `split`; all rows without either.
        given: Options of audit.data.sources.file_rows.Asked; `image`, `audio` or `video` is an extension here, for
            instance `jpg`, where samples hold several files.

    Raises DataError as audit.data.files.tar_file does, and as a folder of images does.
    """
    path = Path(path)
    asked = Asked.of(given, path.name, without=("class_folders", "data_root"))
    paths = sorted(one for one in path.rglob("*.tar") if one.is_file()) if path.is_dir() else [path]
    inside = Path(os.path.realpath(path))
    for one in paths:
        if not asked.follow_links and not Path(os.path.realpath(one)).is_relative_to(inside):
            raise DataError(f"{one} is a link to a file outside the folder. If you made it, give --follow-links.")
    table, contents = read_tars(paths, asked.column)
    splits = [part_of_name(one.relative_to(path)) if path.is_dir() else None for one in paths]
    if SPLIT not in table.columns and all(splits):
        named = np.array(splits)[contents.places[:, 0]]
        note = f"the part of each row of {table.source} was told by the name of its archive"
        columns = {**table.columns, SPLIT: Written(pd.Series(named))}
        table = replace(table, columns=columns, notes=(*table.notes, note))
    kind = kind_of([name.rpartition(" in ")[0] for name in contents.names], table.source)
    return rows(path.resolve().name, table, contents, part, asked, kind)


def load_saved(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a saved Dataset, or a DatasetDict of `train` and `test` or `validation`, with a column of files.

    Args:
        part: By the names in a DatasetDict, or by a column `split`; all rows without either.
        given: Options of audit.data.sources.file_rows.Asked; `image`, `audio` or `video` names the column if there are
            several.

    Raises DataError if it is damaged or holds no files, and as a folder of images does.
    """
    path = Path(path)
    asked = Asked.of(given, path.name, without=("class_folders", "data_root"))
    source, names = path.resolve().name, parts_of(path)
    for name in names or []:
        if name.lower() not in PARTS:
            raise UnknownNameError(f"part of {source}", name, PARTS)
        if not asked.follow_links and not Path(os.path.realpath(path / name)).is_relative_to(os.path.realpath(path)):
            raise leads_out(path / name, path)
    folders = {name: path / name for name in names} if names else {"": path}
    found = {
        name: read_saved(folder, source=f"{source}/{name}".rstrip("/"), follow_links=asked.follow_links)
        for name, folder in folders.items()
    }
    files = list(dict.fromkeys(column for saved in found.values() for column in saved.files))
    if not files:
        raise DataError(
            f"No column of {source} holds images, sounds or clips. Numbers are read from a table: write "
            "dataset.to_parquet('rows.parquet'), and give that as --data with --features."
        )
    column = asked.column or files[0]
    if asked.column is None and len(files) > 1:
        raise DataError(f"Columns {listed(files)} of {source} hold files. Say which with --image, --audio or --video.")
    if any(column not in saved.files for saved in found.values()):
        raise UnknownNameError(f"column of files in {source}", column, files)
    kind: Kind = asked.kind or KINDS.get(found[next(iter(found))].kinds.get(column, ""), "image")

    def blobs() -> Iterator[tuple[str, bytes | None]]:
        for saved in found.values():
            yield from saved.blobs(column)

    table = next(iter(found.values())).table
    if names:
        splits = {name: PARTS[name.lower()] for name in names}
        table = joined({name: saved.table for name, saved in found.items()}, splits, source, BY_PARTS)
    return rows(source, table, spooled(blobs()), part, asked.seen_as(kind, column))
