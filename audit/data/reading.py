"""How values become columns of labels: classes, or a quantity, or a question to the user."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from audit.data.cells import (
    LARGEST_WHOLE,
    MISSING,
    USUAL_WORDS,
    Cells,
    Ints,
    clean,
    fold,
    has_comma,
    in_order,
    is_code,
    is_missing,
    number,
    read_cells,
    rows_told,
    spelling,
    words_of,
)
from audit.data.columns import AnyColumn, Column, Quantity, Remarks, Undecided
from audit.errors import DataError, UnknownNameError

MOST_CLASSES = 20
"""Whole numbers of more distinct values than this may be codes or a quantity, which the user has to say."""
MOST_TOLD = 5
"""Merged classes that a note names."""

LabelColumn = AnyColumn | Undecided


def as_column(
    name: str,
    values: object,
    *,
    continuous: bool | None = None,
    missing: Iterable[str] | None = None,
    source: str = "",
) -> LabelColumn:
    """Read a column of labels, as a table or an array holds them.

    Text, booleans, categories and whole numbers of few distinct values are classes, in ascending order (categories
    in their own). Blanks around a class are cut, and spellings that differ in letter case alone are one class, named
    by the most frequent. Numbers with a fraction are a quantity. Many whole numbers may be either: Undecided, but
    for those too large for a quantity, which are ids. None, NaN, infinity, the empty text and the words `missing`
    are missing; of a quantity, all usual words for it.

    Args:
        values: (n,) anything a pandas Series takes, or a column that was read already.
        continuous: Overrides the rule: True is a quantity, False is classes.
        missing: Words that mean missing, in any letter case; by default audit.data.cells.MISSING_WORDS.
        source: Where the values stand, for notes.

    Raises DataError if the values are no column, or no numbers where a quantity is asked for.
    """
    if isinstance(values, Column | Quantity | Undecided):
        return values
    column = _Column(name, read_cells(name, values), words_of(missing), f" of {source}" if source else "")
    if continuous is not None:
        return column.quantity() if continuous else column.classes()
    return column.decided()


def label_columns(
    values: Mapping[str, object],
    *,
    continuous: Sequence[str] = (),
    classes: Sequence[str] = (),
    missing: Iterable[str] | None = None,
    source: str,
) -> tuple[dict[str, LabelColumn], tuple[str, ...]]:
    """Read every column of a table as labels; those named `continuous` or `classes` as such, whatever they look like.

    Returns the columns by name, and a note on each that was left out because it holds lists or the like.
    """
    for name in [*continuous, *classes]:
        if name not in values:
            raise UnknownNameError(f"column of {source}", name, values)
        if name in continuous and name in classes:
            raise DataError(f"Column {name!r} is named in both `continuous` and `classes`. Take it out of one.")
    chosen = dict.fromkeys(continuous, True) | dict.fromkeys(classes, False)
    columns: dict[str, LabelColumn] = {}
    notes = []
    for name, column in values.items():
        if name not in chosen and _holds_several(column):
            notes.append(f"column {name!r} of {source} was left out: it holds several values a row")
        else:
            columns[name] = as_column(name, column, continuous=chosen.get(name), missing=missing, source=source)
    return columns, tuple(notes)


class _Column:
    """One column on its way to classes or a quantity."""

    def __init__(self, name: str, cells: Cells, missing: frozenset[str], of_source: str) -> None:
        self._name, self._cells, self._of_source = name, cells, of_source
        self._words = [spelling(one) if cells.kind == "numbers" else clean(str(one)) for one in cells.values]
        self._missing = [is_missing(word, missing) for word in self._words]
        if cells.kind == "numbers":
            finite = np.isfinite(np.array(cells.values, dtype=np.float64))
            self._missing = [gone or not real for gone, real in zip(self._missing, finite, strict=True)]

    def decided(self) -> LabelColumn:
        """Return classes or a quantity where the values say which."""
        held = [word for word in self._held() if self._cells.kind == "numbers" or fold(word) not in USUAL_WORDS]
        numbers = [number(word) for word in held]
        if self._cells.kind == "ordered" or not held:
            return self.classes()
        if None in numbers or any(map(is_code, held)):
            many = len(held) > MOST_CLASSES and all(has_comma(word) or number(word) is not None for word in held)
            fact = f"holds numbers with a comma, such as {next(filter(has_comma, held), '')!r}"
            return Undecided(self.classes(), None, fact) if many and any(map(has_comma, held)) else self.classes()
        values, is_text = np.array(numbers, dtype=np.float64), self._cells.kind == "text"
        if (values != values.round()).any() and not is_text:
            return self.quantity()
        distinct = len({spelling(word) for word in held})
        if distinct <= MOST_CLASSES or (not self._rounded() and np.abs(values).max() >= LARGEST_WHOLE):
            return self.classes()
        fact = f"holds {distinct:,} different {'numbers as text' if is_text else 'whole numbers'}"
        return Undecided(self.classes(), None if is_text else self.quantity(), fact)

    def classes(self) -> Column:
        """Return the rows as classes."""
        exact = self._spellings()
        names = self._names(exact)
        order = list(dict.fromkeys(names[one] for one in exact if one is not None))
        if self._cells.kind != "ordered":
            order = in_order(order)
        places = {name: place for place, name in enumerate(order)}
        different = {one: place for place, one in enumerate(names)}
        codes = self._codes([None if one is None else places[names[one]] for one in exact])
        own = self._codes([None if one is None else different[one] for one in exact])
        remarks = Remarks(self._doubts(is_quantity=False), self._merged(exact, names), self._rounded())
        return Column(codes, tuple(order), own if len(names) > len(order) else None, remarks)

    def quantity(self) -> Quantity:
        """Return the rows as numbers; raise a DataError where a cell is none."""
        numbers = []
        for word, gone in zip(self._words, self._missing, strict=True):
            found = None if gone else number(word)
            if found is None and not gone and (self._cells.kind == "numbers" or fold(word) not in USUAL_WORDS):
                hint = "Write a point for the comma" if has_comma(word) else "Mend it"
                raise DataError(
                    f"Column {self._name!r} is to be continuous and holds {word[:40]!r}, which is no number. "
                    f"{hint}, or leave the column out of `continuous`."
                )
            numbers.append(np.nan if found is None else found)
        if self._cells.kind == "numbers":
            own = np.array(self._cells.values, dtype=np.float64)
            numbers = list(np.where(self._missing, np.nan, own))
        values = np.append(np.array(numbers, dtype=np.float64), np.nan)[self._cells.codes]
        return Quantity(values, Remarks(self._doubts(is_quantity=True), rounded=self._rounded()))

    def _held(self) -> list[str]:
        return [word for word, gone in zip(self._words, self._missing, strict=True) if not gone]

    def _codes(self, places: Sequence[int | None]) -> Ints:
        """Return the place of each row's value, (n,)."""
        own = [MISSING if place is None else place for place in places]
        return np.array([*own, MISSING], dtype=np.int64)[self._cells.codes]

    def _rounded(self) -> bool:
        """Whether whole numbers were held as floats that are too short for them."""
        large = [
            word if self._cells.kind == "written" else str(one)
            for word, one in zip(self._words, self._cells.values, strict=True)
            if (self._cells.kind == "written" or isinstance(one, float)) and abs(number(word) or 0) >= LARGEST_WHOLE
        ]
        return any(mark in text for text in large for mark in ".eE")

    def _spellings(self) -> list[str | None]:
        """Return the spelling of each value by which ids are told apart; None where it is missing."""
        words, kind, held = self._words, self._cells.kind, self._held()
        if kind == "written" and all(number(word) is not None and not is_code(word) for word in held):
            words = [spelling(word) for word in words]
        if kind == "written" and {fold(word) for word in held} <= {"true", "false"}:
            words = [word.capitalize() for word in words]
        return [None if gone else word for word, gone in zip(words, self._missing, strict=True)]

    def _names(self, exact: Sequence[str | None]) -> dict[str, str]:
        """Return the name of the class that each spelling is of: its most frequent one."""
        rows: Counter[str] = Counter()
        for one, count in zip(exact, self._cells.counts, strict=True):
            if one is not None:
                rows[one] += int(count)
        alike = defaultdict(list)
        for one in rows:
            alike[fold(one)].append(one)
        best = {folded: min(several, key=lambda one: (-rows[one], one)) for folded, several in alike.items()}
        return {one: best[fold(one)] for one in rows}

    def _merged(self, exact: Sequence[str | None], names: Mapping[str, str]) -> tuple[str, ...]:
        """Say which cells were taken for one class, but for numbers, which are the same however they are written."""
        others = defaultdict(list)
        for one, cell, count in zip(exact, self._cells.values, self._cells.counts, strict=True):
            if one is not None and number(one) is None and str(cell) != names[one] and count:
                others[names[one]].append(f"{_shown(str(cell))} ({rows_told(int(count))})")
        held = {str(cell) for cell in self._cells.values}
        several = {name: told for name, told in others.items() if len(told) > 1 or name in held}
        told = [f"{', '.join(others)} read as {name!r}" for name, others in list(several.items())[:MOST_TOLD]]
        more = [f"{len(several) - MOST_TOLD} more classes likewise"] if len(several) > MOST_TOLD else []
        if not told:
            return ()
        return (f"{self._name!r}{self._of_source} spells classes in several ways: {'; '.join([*told, *more])}",)

    def _doubts(self, *, is_quantity: bool) -> tuple[str, ...]:
        rows: dict[str, Counter[str]] = {"missing": Counter(), "no number": Counter(), "class": Counter()}
        for word, gone, count in zip(self._words, self._missing, self._cells.counts, strict=True):
            usual = (
                word
                and (gone or fold(word) in USUAL_WORDS)
                and (self._cells.kind != "numbers" or number(word) is not None)
            )
            if usual and count:
                rows["missing" if gone else "no number" if is_quantity else "class"][word] += int(count)
        ends = {
            "missing": "counts as missing (`--missing` names other words)",
            "no number": "is no number and counts as missing",
            "class": "counts as a class (`--missing {word}` if it says that there is none)",
        }
        return tuple(
            f"{self._name!r}{self._of_source}: {word!r} in {rows_told(count)} {ends[sort].format(word=word)}"
            for sort, counts in rows.items()
            for word, count in counts.items()
        )


def _shown(cell: str) -> str:
    return repr(cell[:40]) if clean(cell) == cell.strip() else ascii(cell[:40])


def _holds_several(column: object) -> bool:
    if not isinstance(column, pd.Series) or column.dtype != object:
        return False
    return any(isinstance(one, list | dict | np.ndarray) for one in column)
