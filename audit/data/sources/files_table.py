"""A table with a file for each row: paths of images, sounds or clips, or these themselves, as Parquet holds them."""

import os
from collections.abc import Sequence
from pathlib import Path

from audit.data.files.blobs import blobs, holds_blobs
from audit.data.files.contents import Contents, InFolder, links_out, spooled
from audit.data.files.parts import part_of_name
from audit.data.files.table_file import BY_COLUMN, joined, read_table
from audit.data.labelled import LabelledData, Part
from audit.data.sources.file_rows import Asked, rows
from audit.data.sources.metadata import by_column
from audit.errors import DataError, IreneError, in_one_line


def load(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a .csv, .tsv, .jsonl or .parquet file whose column `image`, `audio` or `video` names holds paths, or bytes.

    Bytes are what a column of Parquet holds, alone or as `{"bytes": …, "path": …}`, as Hugging Face writes them.

    Args:
        part: As of a table.
        given: Options of audit.data.sources.file_rows.Asked; paths start from `data_root`, by default from the folder
            of the table.

    Raises DataError or UnknownNameError as a folder of images does.
    """
    path = Path(path)
    asked = Asked.of(given, path.name, without=("class_folders",))
    column = asked.column
    assert column is not None  # else it is a table of features
    if path.suffix.lower() == ".parquet" and holds_blobs(path, column):
        if asked.data_root:
            raise DataError(f"Column {column!r} of {path.name} holds the files themselves. Leave --data-root out.")
        return rows(path.name, read_table(path, leave_out=column), _spooled([path], column), part, asked)
    root = Path(asked.data_root) if asked.data_root else path.parent
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Give the one that the paths in {path.name} start from as --data-root.")
    listing = by_column(read_table(path), column, root, str(path))
    return rows(path.name, listing.table, InFolder(root, listing.names, listing.source), part, asked)


def load_shards(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a folder of Parquet files with images, sounds or clips inside, as the hub of Hugging Face keeps data sets.

    Args:
        part: By the names of the files, such as `train-00000-of-00001.parquet`, or of their folders, or by a column
            `split`; all rows without either.
        given: Options of audit.data.sources.file_rows.Asked.

    Raises DataError or UnknownNameError as a folder of images does.
    """
    path = Path(path)
    asked = Asked.of(given, path.name, without=("class_folders", "data_root"))
    shards = sorted(one for one in path.rglob("*.parquet") if one.is_file())
    names = [one.relative_to(path).as_posix() for one in shards]
    links_out(path, names, follow=asked.follow_links)
    source, column = path.resolve().name, asked.column
    if column is None:
        raise DataError(
            f"Which column of the tables in {source} the model sees was not said. Name it with --image, "
            "--audio or --video."
        )
    if not all(holds_blobs(one, column) for one in shards):
        raise DataError(
            f"Not every table in {source} holds images, sounds or clips in {column!r}. Name another, or one table."
        )
    tables = {name: read_table(one, source=name, leave_out=column) for name, one in zip(names, shards, strict=True)}
    splits = {name: found for name in names if (found := part_of_name(Path(name)))}
    table = joined(tables, splits if len(splits) == len(names) else None, source, BY_COLUMN)
    return rows(source, table, _spooled(shards, column), part, asked)


def _spooled(paths: Sequence[Path], column: str) -> Contents:
    try:
        return spooled(one for path in paths for one in blobs(path, column))
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise DataError(f"Cannot read {column!r} of {paths[0]}: {in_one_line(error)}. Save it again.") from None
