"""The files that hold tables, as they are written: cells of CSV stay text, and no digit of an id is lost."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pandas.api.types import union_categoricals

from audit.data.cells import Written, clean, fold, is_missing, read_cells, spelling, typed
from audit.data.files.parquet_file import open_parquet
from audit.data.parts import SPLIT
from audit.errors import DataError, IreneError, in_one_line
from audit.file_limits import (
    MOST_HEAD,
    opened,
    require_columns,
    require_plausible,
    require_regular,
    require_short_lines,
)

FILE_NAME = "file_name"
RESERVED = (SPLIT, FILE_NAME)
"""Columns that the project reads itself, in any letter case."""
BY_COLUMN = (
    "`split` column",
    "Add one, with `train` for the rows that it may train on and `audit` for the others.",
)
BLANKS = " \t\r\n"
"""What a line may hold that has no cell."""
Cell = Written | pd.Series
"""Cells of a column, (n,), as the file has them."""


@dataclass(frozen=True)
class Table:
    """The rows of one file."""

    source: str
    """How messages call it."""
    columns: Mapping[str, Cell]
    typed: pd.DataFrame | None
    """The rows with the kinds that the file itself gives its columns; None for CSV, which gives none."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the names of the columns."""
    parts: tuple[str, str] = BY_COLUMN
    """What says which part a row is of, and what to do where nothing does."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def frame(self, missing: frozenset[str]) -> pd.DataFrame:
        """Return the rows as a transform takes them: numbers, booleans and text; what is missing has no value."""
        if self.typed is None:
            columns = {name: typed(read_cells(name, cells), missing) for name, cells in self.columns.items()}
        else:
            columns = {str(name): _without_words(cells, missing) for name, cells in self.typed.items()}
        return pd.DataFrame(columns)

    def text(self, name: str) -> list[str | None]:
        """Return a column as text without blanks around it; None where a cell is empty."""
        return [clean(one) or None for one in self.as_written(name)]

    def as_written(self, name: str) -> list[str]:
        """Return a column as text to the letter: names of files that look alike may be two."""
        cells = self.columns[name]
        values = cells.cells if isinstance(cells, Written) else cells.astype(object).where(cells.notna(), "")
        return [one if isinstance(one, str) else spelling(one) for one in values]


Read = tuple[Sequence[object], Sequence[Cell], pd.DataFrame | None]
"""Names, cells of each column, and the rows with the kinds that the file gives."""


def read_table(path: Path, *, source: str | None = None, leave_out: str | None = None) -> Table:
    """Read a .csv, .tsv, .jsonl or .parquet file; nothing in it is run.

    Blanks and byte-order marks around the names of columns are cut, and `split` and `file_name` may be written in any
    letter case. Raises DataError if the file is no table, or two names become one.

    Args:
        source: How messages call it; by default its name.
        leave_out: A column of Parquet that is too large to be held.
    """
    readers: dict[str, Callable[[Path], Read]] = {
        ".parquet": partial(_read_parquet, leave_out=leave_out),
        ".jsonl": _read_jsonl,
    }
    source = source or path.name
    try:
        require_regular(path)
        written, cells, frame = readers.get(path.suffix.lower(), _read_csv)(path)
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise DataError(f"Cannot read {path} as a table: {in_one_line(error)}. {_remedy(error)}.") from None
    names = [header(str(name)) for name in written]
    if not names or not len(cells[0]):
        raise DataError(f"{path} has no rows. Give a table with one row for each input.")
    firsts: dict[str, int] = {}
    for place, name in enumerate(names):
        if (first := firsts.setdefault(name, place)) < place:
            both = f"two columns {name!r}" if written[first] == written[place] else ""
            both = both or f"the columns {written[first]!r} and {written[place]!r}, which are read as {name!r}"
            raise DataError(f"{path} has {both}. Rename one.")
    changed = [(one, name) for one, name in zip(map(str, written), names, strict=True) if one != name]
    note = f"columns of {source} were read by other names: " + ", ".join(f"{old!r} as {new!r}" for old, new in changed)
    if frame is not None:
        frame.columns = pd.Index(names)
    return Table(source, dict(zip(names, cells, strict=True)), frame, (note,) if changed else ())


def _remedy(error: Exception) -> str:
    return "Save it as UTF-8" if isinstance(error, UnicodeError) else "Mend it, or save it again"


def joined(tables: Mapping[str, Table], splits: Mapping[str, str] | None, source: str, parts: tuple[str, str]) -> Table:
    """Put tables of the same columns one below the other, as rows of the split that is said of each, if it is.

    Raises DataError if their columns differ, or one has a `split` of its own.
    """
    first = next(iter(tables.values()))
    for one in tables.values():
        if splits and SPLIT in one.columns:
            raise DataError(f"{one.source} has a column `split`, and its place says another. Leave the column out.")
        if unlike := sorted(one.columns.keys() ^ first.columns.keys()):
            raise DataError(f"{first.source} and {one.source} differ in the column {unlike[0]!r}. Give both the same.")
    columns: dict[str, Cell] = {}
    for name in first.columns:
        cells = [one.columns[name] for one in tables.values()]
        written = [one.cells for one in cells if isinstance(one, Written)]
        if written and len(written) < len(cells):
            raise DataError(f"The tables of {source} are of several formats. Save them in one.")
        whole = _below([one for one in cells if not isinstance(one, Written)] or written)
        columns[name] = Written(whole) if written else whole
    notes = [note for one in tables.values() for note in one.notes]
    if splits:
        held = {split: ", ".join(name for name in tables if splits[name] == split) for split in splits.values()}
        notes.append(f"in {source}, " + "; ".join(f"rows of {names} are `{split}`" for split, names in held.items()))
        columns[SPLIT] = Written(pd.Series([splits[name] for name, one in tables.items() for _ in range(len(one))]))
    return Table(source, columns, None, tuple(dict.fromkeys(notes)), parts)


def _below(cells: Sequence[pd.Series]) -> pd.Series:
    if all(isinstance(one.dtype, pd.CategoricalDtype) for one in cells):
        return pd.Series(union_categoricals(list(cells), sort_categories=True))
    return pd.concat(cells, ignore_index=True)


def header(name: str) -> str:
    """Return a column's name as it is looked up."""
    name = clean(name)
    return fold(name) if fold(name) in RESERVED else name


def _read_csv(path: Path) -> Read:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    _require_narrow(path, separator)
    options: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "na_filter": False}
    frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig", **options)
    first = pd.read_csv(path, dtype=str, encoding="utf-8-sig", header=None, nrows=1, **options)
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.step != 1:
        raise DataError(f"The rows of {path} have more values than its first line has names. Name every column.")
    if frame.shape[1] == 1:
        frame = pd.read_csv(io.StringIO(_from_first_to_last(path)), dtype=str, skip_blank_lines=False, **options)
    names = [one or given for one, given in zip(first.iloc[0].fillna(""), frame.columns, strict=True)]
    return names, [Written(cells) for _, cells in frame.fillna("").items()], None


def _from_first_to_last(path: Path) -> str:
    """Return a table from its first line that is not blank to the last such: of one column, a blank one is a cell."""
    with opened(path) as file:
        text = file.read().decode("utf-8-sig")
    written = text.strip(BLANKS)
    start = text.index(written)
    end = next((place for place in range(start + len(written), len(text)) if text[place] in "\r\n"), len(text))
    return text[start:end]


def _require_narrow(path: Path, separator: str) -> None:
    """Refuse a table of more columns than are read, or of lines without an end, before pandas makes room for it."""
    with opened(path) as file:
        require_plausible(size := os.fstat(file.fileno()).st_size, size)
        require_short_lines(file)
        head = file.read(2 * MOST_HEAD).decode("utf-8-sig", errors="replace")
    if head[1:20:2] == "\0" * 10 or head[:20:2] == "\0" * 10:
        raise UnicodeError("every second byte is 0, as in UTF-16")
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=separator, skipinitialspace=True)
    widths = (len(line) for line in lines if line)
    try:
        for width in islice(widths, 2):  # names, and the first row, which pandas widens the table to
            require_columns(width)
    except csv.Error as error:
        raise ValueError(f"its first lines are none of a table: {error}") from None


def _read_jsonl(path: Path) -> Read:
    with opened(path) as file:
        require_plausible(size := os.fstat(file.fileno()).st_size, size)
        require_short_lines(file)
        lines = io.TextIOWrapper(file, encoding="utf-8-sig")
        records = [_record(line, row) for row, line in enumerate(lines, 1) if line.strip()]
    names = list(dict.fromkeys(name for record in records for name in record))
    require_columns(len(names))
    require_plausible(2 * 8 * len(names) * len(records), size)  # a place in a series and in a frame for each cell
    cells: list[Cell] = [pd.Series([record.get(name) for record in records], dtype=object) for name in names]
    return names, cells, pd.DataFrame(records, columns=pd.Index(names))


def _record(line: str, row: int) -> dict[str, object]:
    try:
        record = json.loads(line, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {row} is not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"line {row} is not an object with names and values")
    return record


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return names with their values. Raises ValueError if a name occurs twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name occurs twice in it")
    return record


def _read_parquet(path: Path, *, leave_out: str | None) -> Read:
    with open_parquet(path, leave_out=leave_out) as file:
        names = None if leave_out is None else [one for one in file.schema_arrow.names if one != leave_out]
        frame = pd.read_parquet(path, engine="pyarrow", columns=names)
        frame = frame.reset_index(drop=all(name is None for name in frame.index.names))
        schema = file.schema_arrow
        whole = [
            one.name
            for one in schema
            if one.name != leave_out
            and pa.types.is_integer(one.type)
            and len(schema.get_all_field_indices(one.name)) == 1
        ]
        exact = {one: whole_numbers(file.read(columns=[one]).column(0)) for one in whole}
    cells = [exact.get(str(name), frame.iloc[:, place]) for place, name in enumerate(frame.columns)]
    return list(frame.columns), cells, frame


def whole_numbers(column: pa.ChunkedArray) -> pd.Series:
    """Return a column of Arrow's; whole numbers beside a gap do not become floats, which lose digits."""
    series: pd.Series = column.to_pandas(integer_object_nulls=True)
    return series


def _without_words(column: pd.Series, missing: frozenset[str]) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column) or not any(isinstance(one, str) for one in column.head(100)):
        return column
    gone = column.map(lambda one: isinstance(one, str) and is_missing(one, missing)).astype(bool)
    return column.mask(gone)
