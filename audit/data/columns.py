"""Columns of labels: classes by name, or numbers; missing values are marked, never guessed."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.data.cells import MISSING, Ints, meaning
from audit.errors import DataError

__all__ = ["MISSING", "Answers", "AnyColumn", "Column", "Ints", "Quantity", "Remarks", "Undecided", "intersect"]


@dataclass(frozen=True)
class Remarks:
    """What a reader should know of how the cells of a column were read, a sentence each without its full stop."""

    words: tuple[str, ...] = ()
    """Words that count as missing, words that count as a class though they often mean missing, and classes that may
    be one."""
    merged: tuple[str, ...] = ()
    """Spellings that were taken for one class."""
    rounded: bool = False
    """Whether whole numbers were held as floats too short for them, so that different ids may have become one."""

    def __add__(self, other: "Remarks") -> "Remarks":
        """Return both."""
        return Remarks(self.words + other.words, self.merged + other.merged, self.rounded or other.rounded)

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return self.words + self.merged


@dataclass(frozen=True)
class Column:
    """A class of every row."""

    codes: Ints
    """Class of each row, (n,), positions in `classes`; MISSING where it is not known."""
    classes: tuple[str, ...]
    exact: Ints | None = None
    """The same by exact spelling, (n,), where spellings were merged: ids that differ in letter case are two people."""
    remarks: Remarks = Remarks()

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a class, (n,)."""
        known: NDArray[np.bool_] = self.codes != MISSING
        return known

    def codes_among(self, classes: Sequence[str]) -> Ints:
        """Return each row's class as a position among other classes, (n,); MISSING where none of them says the same.

        That is the class of the same name, or else the only one of the same meaning: `yes` is `Yes`, and 1 is `True`.
        """
        named = {name: place for place, name in enumerate(classes)}
        alike = Counter(map(meaning, classes))
        meant = {meaning(name): place for name, place in named.items() if alike[meaning(name)] == 1}
        places = [named.get(name, meant.get(meaning(name), MISSING)) for name in self.classes]
        return np.array([*places, MISSING], dtype=np.int64)[self.codes]

    def take(self, rows: Ints) -> "Column":
        """Return the given rows, in that order."""
        return Column(self.codes[rows], self.classes, None if self.exact is None else self.exact[rows], self.remarks)

    def sha256(self) -> str:
        """Return a SHA-256 over the codes, in order."""
        return hashlib.sha256(self.codes.astype("<i8").tobytes()).hexdigest()


@dataclass(frozen=True)
class Quantity:
    """A number of every row, such as an age."""

    values: NDArray[np.float64]
    """(n,); NaN where it is not known."""
    remarks: Remarks = Remarks()
    question: str = ""
    """What the user has to answer before the numbers are attacked, as in `holds -999 in 60 rows, … Say …`."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a number, (n,)."""
        known: NDArray[np.bool_] = np.isfinite(self.values)
        return known

    def take(self, rows: Ints) -> "Quantity":
        """Return the given rows, in that order."""
        return Quantity(self.values[rows], self.remarks, self.question)

    def sha256(self) -> str:
        """Return a SHA-256 over the values, in order."""
        return hashlib.sha256(self.values.astype("<f8").tobytes()).hexdigest()


AnyColumn = Column | Quantity

Answers = Ints | NDArray[np.float64]
"""What a model answered, or the truth, of each row, (n,): places among classes, or numbers."""


@dataclass(frozen=True)
class Undecided:
    """Many numbers, dates or texts with digits that may be a quantity, or codes of classes: only the user knows."""

    column: Column
    """The rows as classes."""
    quantity: Quantity | None
    """The rows as a quantity; None where the cells are text, categories or dates."""
    fact: str
    """What the column holds, as in `holds 529 different whole numbers`."""
    is_plain: bool = True
    """Whether its cells can be read as a quantity as they are."""

    def __len__(self) -> int:
        return len(self.column)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a value, (n,)."""
        return self.column.known if self.quantity is None else self.quantity.known

    def take(self, rows: Ints) -> "Undecided":
        """Return the given rows, in that order."""
        quantity = None if self.quantity is None else self.quantity.take(rows)
        return Undecided(self.column.take(rows), quantity, self.fact, self.is_plain)


def intersect(columns: Mapping[str, Column]) -> Column:
    """Return the joint class of columns, `female & black`, of combinations that have a row; missing where one is.

    A class that has a lone `&` in its own name is quoted, so that no two combinations have one name. Raises DataError
    if two still do.
    """
    known = np.logical_and.reduce([column.known for column in columns.values()])
    stacked = np.stack([column.codes for column in columns.values()], axis=1)  # (n, columns)
    cells, inverse = np.unique(stacked[known], axis=0, return_inverse=True)
    codes = np.full(len(known), MISSING, dtype=np.int64)
    codes[known] = inverse.reshape(-1)  # numpy 2.0 gives it a second dimension
    names = [
        " & ".join(_quoted(column.classes[code]) for column, code in zip(columns.values(), cell, strict=True))
        for cell in cells
    ]
    if twice := [name for name, rows in Counter(names).items() if rows > 1]:
        raise DataError(f"Two joint classes of {'+'.join(columns)} are called {twice[0]!r}. Rename a class of theirs.")
    return Column(codes, tuple(names), remarks=sum((column.remarks for column in columns.values()), Remarks()))


def _quoted(name: str) -> str:
    return repr(name) if "&" in name.split() else name
