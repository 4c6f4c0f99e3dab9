"""A `datasets.Dataset` as save_to_disk writes it, read from its Arrow files: the package itself is not needed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

import numpy as np
import pandas as pd
import pyarrow as pa

from audit.data.columns import Ints
from audit.data.files.blobs import AT_ONCE, files_of, is_blob
from audit.data.files.contents import links_out
from audit.data.files.table_file import Cell, Table, header
from audit.errors import DataError, IreneError, in_one_line
from audit.file_limits import read_json_bytes, require_columns, require_plausible, require_regular

STATE, INFO, PARTS = "state.json", "dataset_info.json", "dataset_dict.json"


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
        held = pa.concat_tables(_arrow(folder, state, "_data_files", follow_links=follow_links))
        require_columns(held.num_columns)
        rows = np.arange(len(held), dtype=np.int64)
        if state.get("_indices_data_files"):
            indices = pa.concat_tables(_arrow(folder, state, "_indices_data_files", follow_links=follow_links))
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


def _arrow(folder: Path, state: Mapping[str, object], key: str, *, follow_links: bool) -> Iterator[pa.Table]:
    listed = state.get(key)
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"its {STATE} lists no files")
    names = [_plain(one.get("filename") if isinstance(one, dict) else None, folder / STATE) for one in listed]
    links_out(folder, names, follow=follow_links)
    for name in names:
        require_regular(folder / name)
        size = (folder / name).stat().st_size
        with pa.memory_map(str(folder / name)) as file, pa.ipc.open_stream(file) as reader:
            table = reader.read_all()
        require_plausible(table.nbytes, size)
        table.validate(full=True)  # places in it that lie outside of the file
        yield table


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
