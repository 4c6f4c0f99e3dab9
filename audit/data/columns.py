"""Columns of labels: classes by name, or numbers; missing values are marked, never guessed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.errors import DataError, UnknownNameError, in_one_line

Ints = NDArray[np.int64]
MISSING = -1
"""Code of a row whose class is not known."""
MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are a quantity, not classes."""
LARGEST_WHOLE = 2**53
"""From here on a float does not hold every whole number, and two ids would become one."""
MISSING_WORDS = ("", "?", "NA", "N/A", "NaN", "nan", "None", "null")


@dataclass(frozen=True)
class Column:
    """A class of every row."""

    codes: Ints
    """Class of each row, (n,), positions in `classes`; MISSING where it is not known."""
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a class, (n,)."""
        known: NDArray[np.bool_] = self.codes != MISSING
        return known

    def take(self, rows: Ints) -> "Column":
        """Return the given rows, in that order."""
        return Column(self.codes[rows], self.classes)

    def sha256(self) -> str:
        """Return a SHA-256 over the codes, in order."""
        return hashlib.sha256(self.codes.astype("<i8").tobytes()).hexdigest()


@dataclass(frozen=True)
class Quantity:
    """A number of every row, such as an age."""

    values: NDArray[np.float64]
    """(n,); NaN where it is not known."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a number, (n,)."""
        known: NDArray[np.bool_] = np.isfinite(self.values)
        return known

    def take(self, rows: Ints) -> "Quantity":
        """Return the given rows, in that order."""
        return Quantity(self.values[rows])

    def sha256(self) -> str:
        """Return a SHA-256 over the values, in order."""
        return hashlib.sha256(self.values.astype("<f8").tobytes()).hexdigest()


AnyColumn = Column | Quantity


def as_column(name: str, values: object, *, continuous: bool | None = None) -> AnyColumn:
    """Read a column of labels, as a table or an array holds them.

    Text, booleans, categories and whole numbers of few distinct values are classes, named as they are
    written and in ascending order (categories in their own); any other numbers are a quantity, but for
    whole ones that are too large for that, which are ids. `None`, NaN, infinity and the usual words for
    it (`?`, `NA`, the empty text) are missing.

    Args:
        values: (n,) anything a pandas Series takes, or a Column or Quantity.
        continuous: Overrides the rule: True is a quantity, False is classes.

    Raises DataError if the values are no column, or no numbers where a quantity is asked for.
    """
    if isinstance(values, Column | Quantity):
        return values
    series = _series(name, values)
    if continuous or (continuous is None and _is_measured(series)):
        return Quantity(_numbers(name, series))
    return _classes(name, series)


def label_columns(
    values: Mapping[str, object], *, continuous: Sequence[str] = (), classes: Sequence[str] = (), source: str
) -> tuple[dict[str, AnyColumn], tuple[str, ...]]:
    """Read every column of a table as labels; those named `continuous` or `classes` as such, whatever they look like.

    Returns the columns by name, and a note on each that was left out because it holds lists or the like.
    """
    for name in [*continuous, *classes]:
        if name not in values:
            raise UnknownNameError(f"column of {source}", name, values)
        if name in continuous and name in classes:
            raise DataError(f"Column {name!r} is named in both `continuous` and `classes`. Take it out of one.")
    chosen = dict.fromkeys(continuous, True) | dict.fromkeys(classes, False)
    columns: dict[str, AnyColumn] = {}
    notes = []
    for name, column in values.items():
        if name not in chosen and _holds_several(column):
            notes.append(f"column {name!r} of {source} was left out: it holds several values a row")
        else:
            columns[name] = as_column(name, column, continuous=chosen.get(name))
    return columns, tuple(notes)


def intersect(columns: Mapping[str, Column]) -> Column:
    """Return the joint class of columns, `female & black`, of combinations that have a row; missing where one is."""
    known = np.logical_and.reduce([column.known for column in columns.values()])
    stacked = np.stack([column.codes for column in columns.values()], axis=1)  # (n, columns)
    cells, inverse = np.unique(stacked[known], axis=0, return_inverse=True)
    codes = np.full(len(known), MISSING, dtype=np.int64)
    codes[known] = inverse.reshape(-1)  # numpy 2.0 gives it a second dimension
    names = [
        " & ".join(column.classes[code] for column, code in zip(columns.values(), cell, strict=True)) for cell in cells
    ]
    return Column(codes, tuple(names))


def _series(name: str, values: Any) -> pd.Series:
    """Return the values with every missing one made None or NaN."""
    try:
        dimensions = np.ndim(values)
        if isinstance(values, np.ndarray) and values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8")
        series = pd.Series(values) if dimensions == 1 else None
    except (TypeError, ValueError) as error:
        raise DataError(f"Column {name!r} cannot be read: {in_one_line(error)}. Give one value a row.") from None
    if series is None:
        raise DataError(f"Column {name!r} has {dimensions} dimensions. Give one value a row.")
    if series.dtype.kind in "cV":
        raise DataError(f"Column {name!r} holds {series.dtype} values. Give text or plain numbers.")
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.cat.set_categories(
            [one for one in series.cat.categories if str(one).strip() not in MISSING_WORDS]
        )
    if pd.api.types.is_float_dtype(series):
        return pd.Series(_finite(series))
    if pd.api.types.is_numeric_dtype(series):  # whole numbers and booleans
        return series
    return series.astype(object).where(~series.astype(str).str.strip().isin(MISSING_WORDS), None)


def _is_measured(series: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series):
        return False
    known = series.dropna()
    if not (known == known.round()).all():
        return True
    id_like = pd.api.types.is_integer_dtype(series) and (known.astype(np.float64).abs() >= LARGEST_WHOLE).any()
    return known.nunique() > MOST_CLASSES and not id_like


def _numbers(name: str, series: pd.Series) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return _finite(series)
    numbers = pd.to_numeric(series.astype(object).astype(str), errors="coerce")
    wrong = series[numbers.isna() & series.notna()]
    if len(wrong):
        raise DataError(
            f"Column {name!r} is to be continuous and holds {str(wrong.iloc[0])[:40]!r}, which is no number. "
            "Mend it, or leave the column out of `continuous`."
        )
    return _finite(numbers.where(series.notna()))


def _classes(name: str, series: pd.Series) -> Column:
    if isinstance(series.dtype, pd.CategoricalDtype):
        return Column(series.cat.codes.to_numpy().astype(np.int64), tuple(map(_written, series.cat.categories)))
    try:
        distinct = sorted(series.dropna().unique(), key=lambda one: (isinstance(one, str), one))
    except TypeError:
        raise DataError(f"Column {name!r} holds values that are neither text nor numbers. Give one of them.") from None
    written = [_written(one) for one in distinct]
    places = {text: place for place, text in enumerate(dict.fromkeys(written))}  # 1 and "1" are one class
    positions = {one: places[text] for one, text in zip(distinct, written, strict=True)}
    return Column(series.map(positions).fillna(MISSING).to_numpy().astype(np.int64), tuple(places))


def _finite(series: pd.Series) -> NDArray[np.float64]:
    numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _holds_several(column: object) -> bool:
    if not isinstance(column, pd.Series) or column.dtype != object:
        return False
    return any(isinstance(one, list | dict | np.ndarray) for one in column)


def _written(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
