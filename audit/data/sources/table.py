"""A table of rows for tabular models."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from audit.column_names import split_names
from audit.data.cells import Written, words_of
from audit.data.columns import Column, Ints, Quantity, Undecided
from audit.data.files.suffixes import PLURAL, Kind, named_in
from audit.data.files.table_file import Table, read_table
from audit.data.labelled import LabelledData, Part
from audit.data.parts import SPLIT, SPLITS
from audit.data.reading import LabelColumn, label_columns
from audit.errors import DataError, UnknownNameError
from audit.plugins import resolve

ENCODING = "standardised numbers, one-hot classes"
BY_THESE_ROWS = f"{ENCODING}, both by these very rows"
BY_WHAT = (
    f"no column `{SPLIT}` in {{}}: its numbers were standardised by the mean and deviation of these very rows, and its "
    "classes made one-hot as these have them, which a model that was trained on others sees otherwise; keep the rows "
    "that trained it in the file, as `train`, or give a transform"
)
WORDS = 3
"""In a cell that looks like a text."""
MOST_ONE_HOT = 1000
"""A feature with more classes than this is a name or an id, which no model was fed as one-hot."""


def load(
    path: str | os.PathLike[str],
    part: Part,
    *,
    features: str | Sequence[str] = (),
    transform: str | None = None,
    continuous: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
    missing: str | Sequence[str] | None = None,
) -> LabelledData:
    """Open a .csv, .tsv, .jsonl or .parquet file: rows of float32 for a tabular model, every column a label.

    Without a transform, numbers are standardised by the mean and deviation of the rows whose `split` is `train`
    (of all rows without that column) and are 0 where they are missing; classes are one-hot in the order of their
    names, all 0 where they are missing.

    Args:
        part: `train` is the rows whose `split` is `train`, `audit` all others; all rows without such a column.
        features: Columns that the model sees, in its order, as a list or with commas between them.
        transform: `package.module:factory` or `file.py:factory`; it returns a callable from the table's features
            (all its columns if none are named), as a DataFrame of all rows, to an array (n, d).
        continuous: Columns to treat as numbers.
        classes: Columns of many whole numbers to treat as classes; as a feature such a column is numbers otherwise.
        missing: Words that mean missing beside the empty cell; by default `?` alone.

    Raises DataError if the file is no table, or neither features nor a transform are given; UnknownNameError if there
    is no such column.
    """
    path = Path(path)
    table = read_table(path)
    names = split_names(features)
    if not names and transform is None:
        raise _unsaid(table, path.name)
    said = Said.of(continuous, classes, missing)
    columns, notes = said.read(table.columns, path.name)
    for name in names:
        if name not in columns:
            raise UnknownNameError(f"feature of {path.name}", name, columns)
    rows, part_notes = rows_of(table, part)
    by = ENCODING if SPLIT in table.columns else BY_THESE_ROWS
    if transform is None:
        inputs = _encoded({name: columns[name] for name in names}, table)
        part_notes += tuple(note for name in names for note in _remarks(columns[name]))
        part_notes += () if by == ENCODING else (BY_WHAT.format(path.name),)
    else:
        frame = table.frame(words_of(said.missing))
        inputs = _transformed(frame[list(names)] if names else frame, transform)
    return LabelledData(
        name=path.name,
        inputs=torch.from_numpy(inputs[rows]),
        columns={name: column.take(rows) for name, column in columns.items()},
        others=others(columns, table, rows),
        options={
            "part": part,
            **({"transform": transform} if transform else {"encoding": by}),
            **recorded({"features": names}),
            **said.recorded(),
        },
        notes=notes + part_notes,
    )


def _unsaid(table: Table, source: str) -> DataError:
    """Return the error of a table where nobody said what the model sees; a column of files is likely it."""
    for name in table.columns:
        if kind := _kind_of_files(table, name):
            return DataError(
                f"Column {name!r} of {source} looks like files of {PLURAL[kind]}. "
                f"If the model sees them, say --{kind} {name}; else name the columns that it sees with --features."
            )
    for name in table.columns:
        if _looks_written(table, name):
            return DataError(
                f"Column {name!r} of {source} looks like texts. If the model reads them, say --text {name}; else name "
                "the columns that it sees with --features."
            )
    return DataError(
        f"Which columns of {source} the model sees was not said. Name them with --features, with commas between "
        "them, or give a --transform, package.module:factory or file.py:factory."
    )


def _looks_written(table: Table, name: str) -> bool:
    """Return whether most of the first cells are of several words."""
    cells = table.columns[name]
    if not isinstance(cells, Written) and not all(isinstance(one, str) for one in cells.dropna().head(100)):
        return False
    words = [len(one.split()) for one in table.text(name)[:100] if one]
    return bool(words) and sum(count >= WORDS for count in words) > len(words) / 2


def _kind_of_files(table: Table, name: str) -> Kind | None:
    cells = table.columns[name]
    first = [] if isinstance(cells, Written) else cells.dropna().head(1).tolist()
    if first and (isinstance(first[0], bytes) or (isinstance(first[0], dict) and "bytes" in first[0])):
        return "image"
    return named_in([one for one in table.text(name)[:100] if one])


@dataclass(frozen=True)
class Said:
    """What the user said of a file's columns."""

    continuous: tuple[str, ...]
    classes: tuple[str, ...]
    missing: tuple[str, ...] | None
    """Words that mean missing; None for the usual one."""

    @staticmethod
    def of(
        continuous: str | Sequence[str], classes: str | Sequence[str], missing: str | Sequence[str] | None
    ) -> "Said":
        """Take lists, or names with commas between them."""
        return Said(split_names(continuous), split_names(classes), None if missing is None else split_names(missing))

    def read(self, values: Mapping[str, object], source: str) -> tuple[dict[str, LabelColumn], tuple[str, ...]]:
        """Read columns as labels, and return what to know of them."""
        return label_columns(
            values, continuous=self.continuous, classes=self.classes, missing=self.missing, source=source
        )

    def recorded(self) -> dict[str, str]:
        """Return what was said, as the evidence keeps it."""
        words = {} if self.missing is None else {"missing": ",".join(self.missing)}
        return recorded({"continuous": self.continuous, "classes": self.classes}) | words


def rows_of(table: Table, part: Part) -> tuple[Ints, tuple[str, ...]]:
    """Return the rows of a part by the column `split`, and what a reader should know of them.

    Raises DataError if there are none, or no such column to take `train` rows by.
    """
    source, (way, out) = table.source, table.parts
    if SPLIT not in table.columns:
        if part == "train":
            raise DataError(f"No {way} in {source}: the sanitizer would train on the rows that it is judged on. {out}")
        note = f"no {way} in {source}: all rows were audited, and rows that trained the model leak more"
        return np.arange(len(table), dtype=np.int64), (*table.notes, f"{note} than others would")
    rows = np.flatnonzero(_is_train(table) == (part == "train")).astype(np.int64)
    if not len(rows):
        wanted = "`train`" if part == "train" else "anything but `train`"
        raise DataError(f"No row of {source} has {wanted} as its `split`. Mark those rows that are.")
    return rows, table.notes


def others(columns: Mapping[str, LabelColumn], table: Table, rows: Ints) -> dict[str, LabelColumn]:
    """Return the columns of the rows of a table that are not in a part."""
    rest = np.setdiff1d(np.arange(len(table), dtype=np.int64), rows)
    return {name: column.take(rest) for name, column in columns.items()}


def recorded(lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the lists of names that were given, as the evidence keeps them."""
    return {option: ",".join(names) for option, names in lists.items() if names}


def _is_train(table: Table) -> NDArray[np.bool_]:
    splits = [None if split is None else split.lower() for split in table.text(SPLIT)]
    for row, split in enumerate(splits, 1):
        if split is None:
            raise DataError(f"Row {row} of {table.source} has no `split`. Say one of {', '.join(SPLITS)}.")
        if split not in SPLITS:
            raise UnknownNameError(f"split in row {row} of {table.source}", split, SPLITS)
    return np.array([split == "train" for split in splits])


def _remarks(column: LabelColumn) -> tuple[str, ...]:
    return _as_feature(column).remarks.all


def _as_feature(column: LabelColumn) -> Column | Quantity:
    """Return a column as a model takes it: what may be either is numbers."""
    if isinstance(column, Undecided):
        return column.column if column.quantity is None else column.quantity
    return column


def _encoded(features: Mapping[str, LabelColumn], table: Table) -> NDArray[np.float32]:
    source, fitting = table.source, np.ones(len(table), dtype=bool)
    if SPLIT in table.columns:
        fitting = _is_train(table)
    blocks = []
    for name, either in features.items():
        column = _as_feature(either)
        if isinstance(column, Quantity):
            if not column.known[fitting].any():
                raise DataError(
                    f"Feature {name!r} of {source} has no value to standardise by in the rows that trained the model. "
                    "Keep its `train` rows in the file, or give a --transform."
                )
            values = column.values[:, None]
            blocks.append(np.nan_to_num(StandardScaler().fit(values[fitting]).transform(values)))
        elif len(column.classes) > MOST_ONE_HOT:
            raise DataError(
                f"Feature {name!r} of {source} has {len(column.classes)} classes, too many for one-hot. "
                "Leave it out, or give a --transform."
            )
        else:
            blocks.append(column.codes[:, None] == np.arange(len(column.classes)))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _transformed(frame: pd.DataFrame, transform: str) -> NDArray[np.float32]:
    apply = resolve(transform, "transform")()
    if not callable(apply):
        raise DataError(f"{transform} returned a {type(apply).__name__}. A transform's factory returns a callable.")
    made = apply(frame.copy())
    if isinstance(made, pd.DataFrame) and len(made) == len(frame) and not made.index.equals(frame.index):
        raise DataError(
            f"By its index, what the transform {transform} made is of rows in another order than those that it was "
            "given. Return them in the same order, or an array."
        )
    try:
        array = np.asarray(made, dtype=np.float32)
    except (TypeError, ValueError):
        array = np.empty(0, dtype=np.float32)
    if array.ndim != 2 or len(array) != len(frame) or not np.isfinite(array).all():
        shape = f" of shape {list(made.shape)}" if isinstance(made, np.ndarray | torch.Tensor | pd.DataFrame) else ""
        raise DataError(
            f"The transform {transform} made a {type(made).__name__}{shape} of {len(frame)} rows. "
            "It returns an array of finite numbers, (rows, features)."
        )
    return array
