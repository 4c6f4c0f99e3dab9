"""A table with a file for each row: paths of images or sounds, or these themselves, as Parquet often holds them."""

import os
from pathlib import Path

from audit.data.files.blobs import blobs, holds_blobs
from audit.data.files.contents import InFolder, spooled
from audit.data.files.table_file import read_table
from audit.data.labelled import LabelledData, Part
from audit.data.sources.file_rows import Asked, rows
from audit.data.sources.metadata import by_column
from audit.errors import DataError, IreneError, in_one_line


def load(path: str | os.PathLike[str], part: Part, **given: object) -> LabelledData:
    """Open a .csv, .tsv, .jsonl or .parquet file whose column `image` or `audio` names holds paths, or bytes.

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
        table = read_table(path, leave_out=column)
        try:
            contents = spooled(blobs(path, column))
        except IreneError:
            raise
        except Exception as error:
            raise DataError(f"Cannot read {column!r} of {path}: {in_one_line(error)}. Save it again.") from None
        return rows(path.name, table, contents, part, asked)
    root = Path(asked.data_root) if asked.data_root else path.parent
    if not root.is_dir():
        raise DataError(f"{root} is no folder. Give the one that the paths in {path.name} start from as --data-root.")
    listing = by_column(read_table(path), column, root, str(path))
    return rows(path.name, listing.table, InFolder(root, listing.names, listing.source), part, asked)
