"""How values become columns of labels: classes, or a quantity, or a question to the user."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.cells import (
    LARGEST_WHOLE,
    MISSING,
    USUAL_WORDS,
    Cells,
    Floats,
    Ints,
    clean,
    fold,
    has_comma,
    in_order,
    is_amount,
    is_code,
    look,
    meaning,
    number,
    numbers_of,
    read_cells,
    rows_told,
    spelling,
    words_of,
)
from audit.data.codes import codes_of_classes, codes_of_quantity
from audit.data.columns import AnyColumn, Column, Quantity, Remarks, Undecided
from audit.data.in_python.days import WRITTEN, days_of
from audit.errors import DataError, UnknownNameError

MOST_CLASSES = 20
"""Whole numbers of more distinct values than this may be codes or a quantity, which the user has to say."""
MOST = 0.5
"""Share of the cells, or of the rows, beyond which most hold a number."""
MOST_TOLD = 5
"""Merged classes that a note names."""

_DATE = re.compile(r"[0-9]{1,4}([./ -])[0-9]{1,2}\1[0-9]{1,4}([T ].*)?")

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
    for those too large for a quantity, which are ids; so are many categories that are numbers, many dates, times and
    durations, and many cells of which most hold a number in some writing, such as `60+`, `25 years` or `$1,200.50`, or
    any digit, such as `age_18` or `118/58`. As a quantity dates are days since 1970-01-01, times since midnight. None,
    NaN, infinity, the empty text and the words `missing` are missing; of a quantity, all usual words for it.

    Numbers that may be codes for no value are never left out by themselves. Among classes, such as -9 beside 0 and 1,
    they are classes with a note. In a quantity, such as -999 among ages, they are a question to whoever attacks it:
    it is answered by their name in `missing`, or, if they are numbers, by `continuous` together with a `missing` that
    does not name them, and then they are numbers with a note.

    Args:
        values: (n,) anything a pandas Series takes, or a column that was read already.
        continuous: Overrides the rule: True is a quantity, False is classes.
        missing: Words that mean missing, in any letter case; by default audit.data.cells.MISSING_WORDS.
        source: Where the values stand, for notes.

    Raises DataError if the values are no column, or no numbers where a quantity is asked for.
    """
    if isinstance(values, Column | Quantity | Undecided):
        return values
    said = None if missing is None else tuple(missing)
    column = _Column(name, read_cells(name, values), said, f" of {source}" if source else "")
    if continuous is not None:
        return column.quantity(is_said=True) if continuous else column.classes()
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

    Returns the columns by name, and a note on each that was left out because it holds lists, or bytes that are no text.
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
        if name not in chosen and (fact := _no_labels(column)):
            notes.append(f"column {name!r} of {source} was left out: it holds {fact}")
        else:
            columns[name] = as_column(name, column, continuous=chosen.get(name), missing=missing, source=source)
    return columns, tuple(notes)


class _Column:
    """One column on its way to classes or a quantity, by its different cells, (m,)."""

    def __init__(self, name: str, cells: Cells, said: tuple[str, ...] | None, of_source: str) -> None:
        self._name, self._cells, self._said, self._of_source = name, cells, said, of_source
        missing = words_of(said)
        self._typed = cells.kind == "numbers"
        named = [value for word in missing if (value := number(word)) is not None]
        if self._typed:
            self._numbers = np.array(cells.values, dtype=np.float64)
            self._missing = ~np.isfinite(self._numbers) | np.isin(self._numbers, named)
            self._usual = np.zeros(len(cells.values), dtype=bool)
        elif (numbers := numbers_of(texts := [str(one) for one in cells.values])) is not None:
            self._words, self._numbers = [text.strip() for text in texts], numbers
            self._missing = np.isin(numbers, named)
            self._usual = np.zeros(len(texts), dtype=bool)
        else:
            self._words = [clean(text) for text in texts]
            read = [number(word) for word in self._words]
            self._numbers = np.array([np.nan if one is None else one for one in read], dtype=np.float64)
            words = [fold(word) if one is None else None for word, one in zip(self._words, read, strict=True)]
            gone = [word is not None and (not word or word in missing) for word in words]
            self._missing = np.array(gone, dtype=bool) | np.isin(self._numbers, named)
            self._usual = np.array([word in USUAL_WORDS for word in words], dtype=bool) & ~self._missing
        self._is_number = np.isfinite(self._numbers)

    @cached_property
    def _words(self) -> list[str]:
        """Each value in its own spelling, without blanks around it."""
        return [spelling(one) for one in self._cells.values]

    @cached_property
    def _days(self) -> Floats | None:
        """What each value is in days, NaN where it is missing, if all are dates, times or durations."""
        held = np.flatnonzero(~self._missing & ~self._usual)
        if self._cells.days is not None:
            found: Floats | None = self._cells.days[held]
        elif self._typed or self._is_number[held].any():
            return None
        else:
            found = days_of(self._words[one] for one in held)
        days = np.full(len(self._words), np.nan)
        if found is not None:
            days[held] = found
        return None if found is None else days

    def decided(self) -> LabelColumn:
        """Return classes or a quantity where the values say which."""
        held = ~self._missing & ~self._usual & (self._cells.counts > 0)
        values, kind = self._numbers[held], self._cells.kind
        words = [] if self._typed else [word for word, is_held in zip(self._words, held, strict=True) if is_held]
        if not held.any() or (self._days is not None and len(words) <= MOST_CLASSES):
            return self.classes()
        if self._days is not None:
            return Undecided(self.classes(), None, f"holds {len(words):,} different dates, times or durations")
        if not self._is_number[held].all() or any(map(is_code, words)):
            return self._of_text(words, self._cells.counts[held])
        is_text = kind in ("text", "ordered")
        if (values != values.round()).any() and not is_text:
            return self.quantity()
        distinct = len(np.unique(values))
        if distinct <= MOST_CLASSES or (not self._rounded and np.abs(values).max() >= LARGEST_WHOLE):
            return self.classes()
        sort = {"text": "numbers as text", "ordered": "numbers as categories"}.get(kind, "whole numbers")
        return Undecided(self.classes(), None if is_text else self.quantity(), f"holds {distinct:,} different {sort}")

    def _of_text(self, words: Sequence[str], rows: Ints) -> LabelColumn:
        """Return classes, or a question where most of many cells, or of the rows, hold a number in some writing."""
        plain = [number(word) is not None for word in words]
        if len(words) <= MOST_CLASSES or all(plain):
            return self.classes()
        commas = [has_comma(word) for word in words]
        amounts = np.array([is_amount(word) for word in words])
        fact = ""
        if any(commas) and all(map(max, plain, commas)):
            fact = f"holds numbers with a comma, such as {words[commas.index(True)]!r}"
        elif _are_most(amounts, rows):
            odd = words[plain.index(False)]
            fact = f"holds {amounts.sum():,} different numbers, with other cells or other writing among them"
            fact += f", such as {odd[:40]!r}"
        elif _are_most(np.array([any(map(str.isdigit, word)) for word in words]), rows):
            fact = f"holds {len(words):,} different texts, most of them with digits"
        return Undecided(self.classes(), None, fact, is_plain=False) if fact else self.classes()

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
        doubts = self._doubts(is_quantity=False) + self._apart(order)
        remarks = Remarks(doubts, self._merged(exact, names), self._rounded)
        return Column(codes, tuple(order), own if len(names) > len(order) else None, remarks)

    def quantity(self, *, is_said: bool = False) -> Quantity:
        """Return the rows as numbers, as the user said or as they look; raise a DataError where a cell is none."""
        if self._days is not None:
            cells = Cells(self._cells.codes, tuple(self._days.tolist()), "numbers")
            read = _Column(self._name, cells, self._said, self._of_source).quantity(is_said=is_said)
            note = (
                f"{self._name!r}{self._of_source} was read in days, a date since 1970-01-01 and a time since midnight"
            )
            told = Remarks((note, *self._doubts(is_quantity=True))) + read.remarks
            return Quantity(read.values, told, read.question)
        wrong = np.flatnonzero(~self._missing & ~self._usual & ~self._is_number)
        if len(wrong):
            word = self._words[wrong[0]]
            hint = "Write a point for the comma" if has_comma(word) else "Write it as a plain number"
            hint = f"Write a date as {WRITTEN}" if _like_a_date(word) else hint
            raise DataError(
                f"Column {self._name!r} is to be continuous and holds {word[:40]!r}, which is no number. "
                f"{hint}, name it in `missing` if it stands for none, or leave the column out of `continuous`."
            )
        numbers = np.where(self._missing | self._usual, np.nan, self._numbers)
        remarks = Remarks(self._doubts(is_quantity=True), rounded=self._rounded)
        question = self._question(is_said=is_said)
        return Quantity(np.append(numbers, np.nan)[self._cells.codes], remarks, question)

    def _question(self, *, is_said: bool) -> str:
        """Return what to ask of numbers that may be codes for no value; nothing where the user has said it."""
        codes = self._codes_for_none(is_quantity=True)
        if not len(codes) or (is_said and self._said is not None):
            return ""
        rows = int(self._cells.counts[np.isin(self._numbers, codes)].sum())
        words = [spelling(float(one)) for one in codes]
        real = f"--continuous {self._name}" + (" with --missing ?" if self._said is None else "")
        return (
            f"holds {', '.join(words)} in {rows_told(rows)}, far from all other numbers, as codes for no value are. "
            f"Say --missing {','.join([*(self._said or ()), *words])} if there is none, or {real} if it is a number."
        )

    def _codes_for_none(self, *, is_quantity: bool) -> Floats:
        """Return the numbers that may be codes for no value, ascending."""
        held = ~self._missing & ~self._usual & (self._cells.counts > 0)
        own = held & self._is_number
        values, places = np.unique(self._numbers[own], return_inverse=True)
        if is_quantity:
            rows = np.bincount(places, self._cells.counts[own], minlength=len(values))
            return np.array(codes_of_quantity(values, rows))
        return np.array(codes_of_classes(values, beside_words=bool((held & ~own).any())))

    def _codes(self, places: Sequence[int | None]) -> Ints:
        """Return the place of each row's value, (n,)."""
        own = [MISSING if place is None else place for place in places]
        return np.array([*own, MISSING], dtype=np.int64)[self._cells.codes]

    @cached_property
    def _rounded(self) -> bool:
        """Whether whole numbers were held as floats that are too short for them."""
        large = np.flatnonzero(self._is_number & (np.abs(self._numbers) >= LARGEST_WHOLE))
        if self._cells.kind == "written":
            return any(mark in self._words[one] for one in large for mark in ".eE")
        return any(isinstance(self._cells.values[one], float) for one in large)

    @cached_property
    def _has_words(self) -> bool:
        """Whether a class is not a number."""
        return not self._is_number[~self._missing].all()

    def _spellings(self) -> list[str | None]:
        """Return the spelling of each value by which ids are told apart; None where it is missing."""
        words = self._words
        if self._cells.kind == "written":
            held = [word for word, gone in zip(words, self._missing, strict=True) if not gone]
            if {fold(word) for word in held} <= {"true", "false"}:
                words = [word.capitalize() for word in words]
            elif not any(map(is_code, held)):  # beside words, 12e3 may be the end of a checksum
                words = [word if self._has_words and "e" in word.lower() else spelling(word) for word in words]
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
        """Say which cells were taken for one class, but for numbers alone, which are the same however written."""
        others = defaultdict(list)
        for one, cell, count in zip(exact, self._cells.values, self._cells.counts, strict=True):
            if one is None or str(cell) == names[one] or not count:
                continue
            if self._has_words or number(one) is None:
                others[names[one]].append(f"{_shown(str(cell))} ({rows_told(int(count))})")
        held = {str(cell) for cell in self._cells.values}
        several = {name: told for name, told in others.items() if len(told) > 1 or name in held}
        told = [f"{', '.join(others)} read as {name!r}" for name, others in list(several.items())[:MOST_TOLD]]
        more = [f"{len(several) - MOST_TOLD} more classes likewise"] if len(several) > MOST_TOLD else []
        if not told:
            return ()
        return (f"{self._name!r}{self._of_source} spells classes in several ways: {'; '.join([*told, *more])}",)

    def _apart(self, order: Sequence[str]) -> tuple[str, ...]:
        """Say which classes may be one: those that look alike, and 1 and True, which as numbers alone would be one."""
        alike = defaultdict(list)
        for name in () if self._typed else order:
            alike[look(name)].append(name)
        found = [
            " and ".join(map(repr if len({*map(meaning, names)}) == 1 else ascii, names))
            for names in alike.values()
            if len(names) > 1
        ]
        told = [*found[:MOST_TOLD], *([f"{len(found) - MOST_TOLD} more likewise"] if len(found) > MOST_TOLD else [])]
        if not told:
            return ()
        return (f"{self._name!r}{self._of_source} has different classes {'; '.join(told)}; write alike what is one",)

    def _doubts(self, *, is_quantity: bool) -> tuple[str, ...]:
        rows: dict[str, Counter[str]] = {"missing": Counter(), "no number": Counter(), "number": Counter()}
        rows["class"] = Counter()
        counts = self._cells.counts
        codes = np.isin(self._numbers, self._codes_for_none(is_quantity=is_quantity)) & ~self._missing
        for one in np.flatnonzero((self._missing | self._usual | codes) & (counts > 0)):
            word = "" if self._typed and not self._is_number[one] else self._words[one]
            if word:
                sort = "no number" if is_quantity else "class"
                sort = "missing" if self._missing[one] else "number" if is_quantity and codes[one] else sort
                rows[sort][word] += int(counts[one])
        ends = {
            "missing": "counts as missing (`--missing` names other words)",
            "no number": "is no number and counts as missing",
            "number": "counts as a number, far from all others (`--missing {word}` if it says that there is none)",
            "class": "counts as a class (`--missing {word}` if it says that there is none)",
        }
        return tuple(
            f"{self._name!r}{self._of_source}: {word!r} in {rows_told(count)} {ends[sort].format(word=word)}"
            for sort, words in rows.items()
            for word, count in words.items()
        )


def _like_a_date(word: str) -> bool:
    return _DATE.fullmatch(word) is not None


def _are_most(which: NDArray[np.bool_], rows: Ints) -> bool:
    """Return whether many cells, and most of them or of the rows, are such."""
    return bool(which.sum() > MOST_CLASSES and (which.mean() > MOST or rows[which].sum() > MOST * rows.sum()))


def _shown(cell: str) -> str:
    return repr(cell[:40]) if clean(cell) == cell.strip() else ascii(cell[:40])


def _no_labels(column: object) -> str | None:
    """Return what the cells of a file's column are that no label is."""
    if not isinstance(column, pd.Series) or column.dtype != object:
        return None
    if any(isinstance(one, list | dict | np.ndarray) for one in column):
        return "several values a row"
    return "bytes that are no text" if any(isinstance(one, bytes) and not _is_text(one) for one in column) else None


def _is_text(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
