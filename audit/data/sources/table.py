"""A table of rows for tabular models, and how the files that hold tables are read."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from audit.column_names import split_names
from audit.data.columns import MISSING_WORDS, AnyColumn, Ints, Quantity, label_columns
from audit.data.labelled import LabelledData, Part
from audit.errors import DataError, UnknownNameError, in_one_line
from audit.plugins import resolve

SPLITS = ("train", "validation", "val", "test", "audit")
"""Values of a column `split`; `train` rows may shape a model, all others are for attackers alone."""
ENCODING = "standardised numbers, one-hot classes"
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
        classes: Columns of many whole numbers to treat as classes.

    Raises DataError if the file is no table, or neither features nor a transform are given; UnknownNameError if there
    is no such column.
    """
    path = Path(path)
    frame = read_table(path)
    names = split_names(features)
    if not names and transform is None:
        raise DataError(
            f"Which columns of {path.name} the model sees was not said. Give `features`, with commas between them, "
            "or a `transform` as package.module:factory or file.py:factory."
        )
    kinds = {"continuous": split_names(continuous), "classes": split_names(classes)}
    columns, notes = label_columns(columns_of(frame), source=path.name, **kinds)
    for name in names:
        if name not in columns:
            raise UnknownNameError(f"feature of {path.name}", name, columns)
    rows, part_notes = rows_of(frame, part, source=path.name)
    if transform is None:
        fitting = _is_train(frame, path.name) if "split" in frame else np.ones(len(frame), dtype=bool)
        inputs = _encoded({name: columns[name] for name in names}, fitting, path.name)
    else:
        inputs = _transformed(frame[list(names)] if names else frame, transform)
    return LabelledData(
        name=path.name,
        inputs=torch.from_numpy(inputs[rows]),
        columns={name: column.take(rows) for name, column in columns.items()},
        options={
            "part": part,
            **({"transform": transform} if transform else {"encoding": ENCODING}),
            **recorded({"features": names, **kinds}),
        },
        notes=notes + part_notes,
    )


def read_table(path: Path) -> pd.DataFrame:
    """Read a table with the usual words for a missing value, or raise a DataError; nothing in the file is run."""
    try:
        frame = _read(path)
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"Cannot read {path} as a table: {in_one_line(error)}. Mend it, or save it again.") from None
    frame.columns = pd.Index([str(name) for name in frame.columns])
    if frame.empty:
        raise DataError(f"{path} has no rows. Give a table with one row for each input.")
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.step != 1:
        raise DataError(f"The rows of {path} have more values than its first line has names. Name every column.")
    if not frame.columns.is_unique:
        raise DataError(f"{path} has two columns {frame.columns[frame.columns.duplicated()][0]!r}. Rename one.")
    return frame


def rows_of(frame: pd.DataFrame, part: Part, *, source: str) -> tuple[Ints, tuple[str, ...]]:
    """Return the rows of a part by the column `split`, and what a reader should know of them.

    Raises DataError if there are none, or no such column to take `train` rows by.
    """
    if "split" not in frame:
        if part == "train":
            raise DataError(
                f"No `split` column in {source}: the sanitizer would train on the rows that it is judged on. "
                "Add one, with `train` for the rows that it may train on and `audit` for the others."
            )
        note = f"no `split` column in {source}: all rows were audited, and rows that trained the model leak more"
        return np.arange(len(frame), dtype=np.int64), (f"{note} than others would",)
    rows = np.flatnonzero(_is_train(frame, source) == (part == "train")).astype(np.int64)
    if not len(rows):
        wanted = "`train`" if part == "train" else "anything but `train`"
        raise DataError(f"No row of {source} has {wanted} as its `split`. Mark those rows that are.")
    return rows, ()


def columns_of(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns by name."""
    return {str(name): values for name, values in frame.items()}


def recorded(lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the lists of names that were given, as the evidence keeps them."""
    return {option: ",".join(names) for option, names in lists.items() if names}


def _read(path: Path) -> pd.DataFrame:
    kind = path.suffix.lower()
    if kind == ".parquet":
        frame = pd.read_parquet(path, engine="pyarrow")
        return frame.reset_index(drop=all(name is None for name in frame.index.names))
    if kind == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            return pd.DataFrame([_record(line, row) for row, line in enumerate(lines, 1) if line.strip()])
    return pd.read_csv(
        path,
        sep="\t" if kind == ".tsv" else ",",
        na_values=list(MISSING_WORDS),
        skipinitialspace=True,
        low_memory=False,  # else a long column changes its kind on the way
        encoding="utf-8-sig",
    )


def _record(line: str, row: int) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {row} is not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"line {row} is not an object with names and values")
    return record


def _is_train(frame: pd.DataFrame, source: str) -> NDArray[np.bool_]:
    splits = [str(split).strip().lower() for split in frame["split"].astype(object).where(frame["split"].notna(), "")]
    for row, split in enumerate(splits, 1):
        if not split:
            raise DataError(f"Row {row} of {source} has no `split`. Say one of {', '.join(SPLITS)}.")
        if split not in SPLITS:
            raise UnknownNameError(f"split in row {row} of {source}", split, SPLITS)
    return np.array([split == "train" for split in splits])


def _encoded(features: Mapping[str, AnyColumn], fitting: NDArray[np.bool_], source: str) -> NDArray[np.float32]:
    blocks = []
    for name, column in features.items():
        if isinstance(column, Quantity):
            if not column.known[fitting].any():
                raise DataError(
                    f"Feature {name!r} of {source} has no value to standardise by in the rows that trained the model. "
                    "Keep its `train` rows in the file, or give a `transform`."
                )
            values = column.values[:, None]
            blocks.append(np.nan_to_num(StandardScaler().fit(values[fitting]).transform(values)))
        elif len(column.classes) > MOST_ONE_HOT:
            raise DataError(
                f"Feature {name!r} of {source} has {len(column.classes)} classes, too many for one-hot. "
                "Leave it out, or give a `transform`."
            )
        else:
            blocks.append(column.codes[:, None] == np.arange(len(column.classes)))
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _transformed(frame: pd.DataFrame, transform: str) -> NDArray[np.float32]:
    apply = resolve(transform, "transform")()
    if not callable(apply):
        raise DataError(f"{transform} returned a {type(apply).__name__}. A transform's factory returns a callable.")
    made = apply(frame.copy())
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
