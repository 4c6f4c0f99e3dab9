"""Images, sounds, clips inside a column of Parquet: bytes, or `{"bytes": …, "path": …}` as Hugging Face writes them."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from audit.data.files.parquet_file import open_parquet
from audit.errors import DataError
from audit.file_limits import require_plausible

AT_ONCE = 16
"""Rows that are unfolded at once."""


def holds_blobs(path: Path, column: str) -> bool:
    """Return whether a column of a Parquet file holds files rather than their paths; False where it cannot be read."""
    try:
        with open_parquet(path, leave_out=column) as file:
            schema = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException):
        return False  # told by who reads the table
    return column in schema.names and is_blob(schema.field(column).type)


def is_blob(kind: pa.DataType) -> bool:
    """Return whether a column of such a type holds files."""
    if pa.types.is_struct(kind):
        return any(
            kind.field(place).name == "bytes" and is_blob(kind.field(place).type) for place in range(kind.num_fields)
        )
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def blobs(path: Path, column: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield what messages call the file of each row, and the file; None where there is none."""
    row = unfolded = 0
    with open_parquet(path, leave_out=column) as file:
        for batch in file.iter_batches(batch_size=AT_ONCE, columns=[column]):
            unfolded += batch.nbytes  # a value that stands there once may be named a million times
            require_plausible(unfolded, path.stat().st_size)
            yield from files_of(batch.column(0), path.name, row)
            row += len(batch)


def files_of(cells: pa.Array, source: str, before: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield the files in some cells, named by their row, from 1, after `before` others.

    Raises DataError at a path without bytes: a file that names others may lead anywhere.
    """
    for row, cell in enumerate(cells.to_pylist(), before + 1):
        value, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
        if value is None and path:
            raise DataError(
                f"Row {row} of {source} names the file {str(path)!r} and does not hold it. Save the rows with their "
                "bytes, or give a table with a column of the paths."
            )
        suffix = f" ({Path(path).name})" if isinstance(path, str) and path else ""
        yield f"row {row} of {source}{suffix}", value or None
