"""A `datasets.Dataset` as save_to_disk writes it, read from its Arrow files: the package itself is not needed."""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

import numpy as np
import pandas as pd
import pyarrow as pa

from audit.data.columns import Ints
from audit.data.files.blobs import AT_ONCE, files_of, is_blob
from audit.data.files.contents import links_out
from audit.data.files.parquet_file import NUMBER
from audit.data.files.table_file import Cell, Table, header
from audit.errors import DataError, IreneError, in_one_line
from audit.file_limits import read_json_bytes, require_columns, require_plausible, require_regular

STATE, INFO, PARTS = "state.json", "dataset_info.json", "dataset_dict.json"
HEADER, DATA, COMPRESSION = 2, 1, 3
"""Places of fields in the tables of Arrow's format: of a message, of a batch of a dictionary, of a batch of rows."""
OLDER = b"ARROW:experimental_compression"
"""The field by which messages of Arrow before 1.0 say the same."""


@dataclass(frozen=True)
class Saved:
    """The rows of one folder."""

    table: Table
    """Labels: all columns but those of files."""
    files: tuple[str, ...]
    """Columns of images, sounds or clips."""
    kinds: Mapping[str, str]
    """What the folder says each of these is: `Image`, `Audio` or `Video`."""
    held: pa.Table
    """All columns, as they lie on the disk."""
    rows: Ints
    """Which of its rows, in order, (n,)."""

    def blobs(self, column: str) -> Iterator[tuple[str, bytes | None]]:
        """Yield what messages call the file of each row, and the file."""
        cells = self.held.column(column)
        for start in range(0, len(self.rows), AT_ONCE):
            some = cells.take(pa.array(self.rows[start : start + AT_ONCE])).combine_chunks()
            chunks = some.chunks if isinstance(some, pa.ChunkedArray) else [some]
            yield from files_of(pa.concat_arrays(chunks), self.table.source, start)


def parts_of(folder: Path) -> list[str] | None:
    """Return the folders that a saved DatasetDict names; None if it is a single data set."""
    if not (folder / PARTS).is_file():
        return None
    splits = _json(folder / PARTS).get("splits")
    if not isinstance(splits, list) or not splits:
        raise DataError(f"{folder / PARTS} names no parts. Save the data sets again.")
    return [_plain(one, folder / PARTS) for one in splits]


def read_saved(folder: Path, *, source: str, follow_links: bool) -> Saved:
    """Read what save_to_disk wrote. Raises DataError if it is damaged or names files elsewhere."""
    state = _json(folder / STATE)
    try:
        held, size = _arrow(folder, state, "_data_files", follow_links=follow_links)
        require_columns(held.num_columns)
        require_plausible(NUMBER * len(held) * held.num_columns, size)
        rows = np.arange(len(held), dtype=np.int64)
        if state.get("_indices_data_files"):
            indices, more = _arrow(folder, state, "_indices_data_files", follow_links=follow_links)
            require_plausible(NUMBER * len(indices) * held.num_columns, size + more)
            rows = rows[indices.column(0).to_numpy().astype(np.int64)]
        features = _json(folder / INFO).get("features")
        features = features if isinstance(features, dict) else {}
        files = tuple(one.name for one in held.schema if is_blob(one.type))
        names = [name for name in held.column_names if name not in files]
        columns: dict[str, Cell] = {header(name): _cells(held.column(name), features.get(name), rows) for name in names}
        if len(columns) < len(names):
            raise ValueError("two of its columns have one name")
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise DataError(f"Cannot read {folder} as a saved data set: {in_one_line(error)}. Save it again.") from None
    if not len(rows) or not columns:
        raise DataError(f"{folder} has no {'labels' if len(rows) else 'rows'}. Save a data set that has some.")
    kinds = {name: str(features[name].get("_type")) for name in files if isinstance(features.get(name), dict)}
    return Saved(Table(source, columns, None), files, kinds, held, rows)


def _arrow(folder: Path, state: Mapping[str, object], key: str, *, follow_links: bool) -> tuple[pa.Table, int]:
    """Return the rows of all files that are listed, and the bytes of these."""
    listed = state.get(key)
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"its {STATE} lists no files")
    names = [_plain(one.get("filename") if isinstance(one, dict) else None, folder / STATE) for one in listed]
    links_out(folder, names, follow=follow_links)
    tables, sizes = list[pa.Table](), list[int]()
    for name in names:
        require_regular(folder / name)
        sizes.append((folder / name).stat().st_size)
        with pa.memory_map(str(folder / name)) as file:
            _require_mapped(file)
            with pa.ipc.open_stream(file) as reader:
                if odd := [one.name for one in reader.schema if _is_shared(one.type)]:
                    raise ValueError(f"column {odd[0]!r} of it can name one text many times")
                tables.append(reader.read_all())
        require_plausible(tables[-1].nbytes, sizes[-1])
        tables[-1].validate(full=True)  # places in it that lie outside of the file
    return pa.concat_tables(tables), sum(sizes)


def _is_shared(kind: pa.DataType, *, inside: bool = False) -> bool:
    """Tell whether cells may be many times as large as what the file holds; the classes of a column are held once."""
    views = (pa.types.is_string_view, pa.types.is_binary_view, pa.types.is_list_view, pa.types.is_large_list_view)
    if any(test(kind) for test in (*views, pa.types.is_run_end_encoded)):
        return True
    if pa.types.is_dictionary(kind):
        return inside or _is_shared(kind.value_type, inside=True)
    return any(_is_shared(kind.field(place).type, inside=True) for place in range(kind.num_fields))


def _require_mapped(file: pa.MemoryMappedFile) -> None:
    """Refuse what would be unfolded into memory, however much of it, before anything can be counted."""
    for message in pa.ipc.MessageReader.open_stream(file):
        if message.type == "schema":
            continue
        metadata = message.metadata.to_pybytes()
        batch = _entry(metadata, _table(metadata, 0), HEADER)
        if message.type == "dictionary" and batch:
            batch = _entry(metadata, _table(metadata, batch), DATA)
        if OLDER in metadata or (batch and _entry(metadata, _table(metadata, batch), COMPRESSION)):
            raise ValueError("its rows are compressed, which save_to_disk does not do")
    file.seek(0)


def _table(metadata: bytes, place: int) -> int:
    """Return where the table of FlatBuffers begins to which a place leads."""
    return place + int(struct.unpack_from("<I", metadata, place)[0])


def _entry(metadata: bytes, table: int, number: int) -> int | None:
    """Return the place of a field of a table; None where the table does not have it."""
    fields = table - struct.unpack_from("<i", metadata, table)[0]
    place = 4 + 2 * number
    if place >= struct.unpack_from("<H", metadata, fields)[0]:
        return None
    offset = int(struct.unpack_from("<H", metadata, fields + place)[0])
    return table + offset if offset else None


def _cells(column: pa.ChunkedArray, feature: object, rows: Ints) -> pd.Series:
    series: pd.Series = column.to_pandas(integer_object_nulls=True)
    names = feature.get("names") if isinstance(feature, dict) else None
    if isinstance(names, list) and pa.types.is_integer(column.type):
        known = [None if one is None or not 0 <= one < len(names) else str(names[one]) for one in column.to_pylist()]
        series = pd.Series(pd.Categorical(known, categories=[str(one) for one in names]))
    return series.iloc[rows].reset_index(drop=True)


def _json(path: Path) -> dict[str, object]:
    try:
        held = json.loads(read_json_bytes(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"Cannot read {path}: {in_one_line(error)}. Save the data set again.") from None
    if not isinstance(held, dict):
        raise DataError(f"{path} is none of save_to_disk's. Save the data set again.")
    return held


def _plain(name: object, path: Path) -> str:
    """Return the name of a file in the same folder."""
    if not isinstance(name, str) or name in ("..", "") or {PurePath(name).name, PureWindowsPath(name).name} != {name}:
        raise DataError(f"{path} names {str(name)[:80]!r}, outside its folder. Save the data set again.")
    return name
