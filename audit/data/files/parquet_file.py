"""Parquet files of strangers: what they declare is held against their size before it is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audit.file_limits import require_columns, require_plausible, require_regular

NUMBER = 8
"""Bytes that a value takes at least, once a column is one of pandas's."""
UNNAMED = "__index_level_"
"""How the names of columns begin in which pandas writes an index without a name."""
LARGEST_START = 2**53
"""Of a count of rows, and of its steps."""


@contextmanager
def open_parquet(path: Path, *, leave_out: str | None = None) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file whose rows can be held. Raises OSError or ValueError if they cannot, or it is none.

    Args:
        leave_out: A column of which the caller counts what it unfolds.
    """
    require_regular(path)
    size = path.stat().st_size
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        require_columns(metadata.num_columns)
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
        if metadata.num_rows < 0 or any(group.num_rows < 0 for group in groups):
            raise ValueError("its number of rows is negative")
        rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
        lists = [
            place for place in range(metadata.num_columns) if metadata.schema.column(place).max_repetition_level > 0
        ]
        values = sum(group.column(place).num_values for group in groups for place in lists)
        declared = NUMBER * (rows * metadata.num_columns + values) + _fixed(metadata, groups)
        require_plausible(max(declared, sum(group.total_byte_size for group in groups)), size)
        require_plausible(declared + _text(path, file.schema_arrow, leave_out), size)
        yield file


def written_index(path: Path) -> dict[str, pd.Series]:
    """Return the levels of the index that pandas wrote into a file that was read before, (n,) each, by name.

    One without a name has that of its column, `__index_level_0__`; a count of rows is none of the columns, and the
    others that have a name are told by it there. Raises OSError or ValueError if the file is none of Parquet.
    """
    with pq.ParquetFile(path) as file:
        told = file.schema_arrow.pandas_metadata
        levels = told.get("index_columns") if isinstance(told, dict) else None
        levels = levels if isinstance(levels, list) else []
        held = [one for one in file.schema_arrow.names if one.startswith(UNNAMED) and one in levels]
        if held:
            table = file.read(columns=held)
            return {name: table.column(name).to_pandas() for name in held}
        count = levels[0] if len(levels) == 1 and isinstance(levels[0], dict) else {}
        bounds = [one for key in ("start", "stop", "step") if isinstance(one := count.get(key), int)]
        if len(bounds) < 3 or not bounds[2] or max(map(abs, bounds)) >= LARGEST_START:
            return {}
        rows = range(bounds[0], bounds[1], bounds[2])
        name = count.get("name")
        return {str(name or f"{UNNAMED}0__"): pd.Series(rows)} if len(rows) == file.metadata.num_rows else {}


def _fixed(metadata: pq.FileMetaData, groups: Sequence[pq.RowGroupMetaData]) -> int:
    """Return the bytes of all cells of a length that their column says, which the file may hold once, too."""
    columns = [(place, metadata.schema.column(place)) for place in range(metadata.num_columns)]
    fixed = [(place, one.length) for place, one in columns if one.physical_type == "FIXED_LEN_BYTE_ARRAY"]
    return sum(max(one.num_rows, one.column(place).num_values) * length for one in groups for place, length in fixed)


def _text(path: Path, schema: pa.Schema, leave_out: str | None) -> int:
    """Return the bytes of all cells of text, each of which the file may hold once and name a million times."""
    names = [
        field.name for field in schema if _holds_text(field.type) and (field.name != leave_out or _is_text(field.type))
    ]
    found = 0
    if not names:
        return found
    leaves = pq.read_metadata(path).schema
    places = [leaves.column(place) for place in range(len(leaves))]
    texts = [one.path for one in places if one.physical_type == "BYTE_ARRAY" and one.logical_type.type != "DECIMAL"]
    with pq.ParquetFile(path, read_dictionary=texts) as compact:
        for name in names:
            for column in compact.read(columns=[name]).columns:
                found += sum(map(_letters, column.chunks))
    return found


def _letters(cells: pa.Array) -> int:
    """Return the bytes of all text in cells."""
    if isinstance(cells, pa.StructArray):
        return sum(_letters(cells.field(place)) for place in range(cells.type.num_fields))
    if isinstance(cells, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        return _letters(cells.values)
    if isinstance(cells, pa.DictionaryArray):
        cells.validate(full=True)  # text that is no UTF-8 would fail anywhere later
        lengths = pc.binary_length(cells.dictionary).cast(pa.int64())
        return pc.sum(lengths.take(cells.indices)).as_py() or 0
    if _is_text(cells.type):
        cells.validate(full=True)
        return int(cells.nbytes)
    return 0


def _holds_text(kind: pa.DataType) -> bool:
    """Tell whether cells of a type hold text that is unfolded; the classes of a column are not."""
    return _is_text(kind) or any(
        _holds_text(inner.value_type if pa.types.is_dictionary(inner) else inner)
        for inner in (kind.field(place).type for place in range(kind.num_fields))
    )


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in (*tests, pa.types.is_string_view, pa.types.is_binary_view))
