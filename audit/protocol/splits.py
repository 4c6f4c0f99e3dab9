"""Three splits of the audit's rows, whole groups each, and a count of every class in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from audit.attackers.learner import drawn_by_class
from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity
from audit.data.labelled import MIN_ROWS
from audit.errors import DataError
from audit.evidence.findings import ClassRows
from audit.settings import Settings

FOLDS = 10
TRAIN, SELECT = 5, 2
"""Tenths of the rows that fit and that choose the attackers; the rest tests them."""


@dataclass(frozen=True)
class Splits:
    """Rows of the three splits, and the group of every row."""

    train: Ints
    select: Ints
    test: Ints
    groups: Ints

    @property
    def rows(self) -> "Rows":
        """The three splits."""
        return self.train, self.select, self.test


Rows = tuple[Ints, Ints, Ints]
"""Rows that fit, choose and test."""


def split_rows(groups: Ints, labels: Sequence[AnyColumn], *, seed: int) -> Splits:
    """Split rows 5 : 2 : 3, whole groups each, the classes of labels and the fifths of quantities spread evenly."""
    found = len(np.unique(groups))
    if found < FOLDS:
        raise DataError(f"{len(groups)} rows form {found} groups; three splits need at least {FOLDS}. Give more rows.")
    alone = found == len(groups)
    folder = (StratifiedKFold if alone else StratifiedGroupKFold)(FOLDS, shuffle=True, random_state=seed)
    folds = [test for _, test in folder.split(groups, _strata(labels), None if alone else groups)]
    train, select, test = folds[:TRAIN], folds[TRAIN : TRAIN + SELECT], folds[TRAIN + SELECT :]
    joined = [np.sort(np.concatenate(part)).astype(np.int64) for part in (train, select, test)]
    return Splits(joined[0], joined[1], joined[2], groups)


def _strata(labels: Sequence[AnyColumn]) -> Ints:
    """Return the cell of the joint table of all labels that each row is in, (n,), cells too rare to spread merged."""
    coded = [column.codes if isinstance(column, Column) else _fifths(column) for column in labels]
    _, cells, counts = np.unique(np.stack(coded), axis=1, return_inverse=True, return_counts=True)
    cells = np.where(counts[cells] < FOLDS, -1, cells)
    if 0 < (cells == -1).sum() < FOLDS:
        cells = np.where(cells == -1, counts.argmax(), cells)
    return cells


def _fifths(quantity: Quantity) -> Ints:
    cuts = np.nanquantile(quantity.values, [0.2, 0.4, 0.6, 0.8])
    return np.where(quantity.known, np.searchsorted(cuts, quantity.values), -1).astype(np.int64)


def split_subset(column: AnyColumn, splits: Splits, settings: Settings) -> Rows:
    """Return the rows with a value that fit, select and test; where the settings name a most, drawn by class."""
    codes = column.codes if isinstance(column, Column) else None
    own = [part[column.known[part]] for part in splits.rows]
    most = settings.fit_rows, settings.fit_rows, settings.test_rows
    train, select, test = (
        at_most(part, few, settings.seed, None if codes is None else codes[part])
        for part, few in zip(own, most, strict=True)
    )
    return train, select, test


def at_most(rows: Ints, most: int | None, seed: int, codes: Ints | None = None) -> Ints:
    """Return at most so many of the rows, (n,), drawn by the seed, in order; evenly from the classes, `codes`, (n,)."""
    even = np.zeros(len(rows), dtype=np.int64) if codes is None else codes
    return rows[drawn_by_class(even, most, seed)]


def class_rows(attribute: str, column: Column, rows: Rows) -> list[ClassRows]:
    """Count each class in the splits; raise a DataError if one has too few rows to be audited, or is the only one."""
    found = [
        ClassRows(name=name, train=int(a), select=int(b), test=int(c))
        for name, a, b, c in zip(column.classes, *_counts(column, rows), strict=True)
        if a + b + c > 0
    ]
    for one in found:
        if min(one.train, one.select, one.test) < MIN_ROWS:
            raise DataError(
                f"Class {one.name!r} of {attribute!r} has {one.train} / {one.select} / {one.test} rows "
                f"to fit, choose and test attackers; each needs {MIN_ROWS}. "
                "Give more rows, or merge or leave out the class."
            )
    if len(found) < 2:
        raise DataError(f"{attribute!r} has {len(found)} classes with enough rows; two are needed. Give more rows.")
    return found


def without_rare(column: Column, rows: Rows) -> tuple[Column, dict[str, int]]:
    """Take out the classes that have too few rows to be audited, and count what was taken out."""
    counts = np.stack(_counts(column, rows))  # (3, classes)
    total = np.bincount(column.codes[column.known], minlength=len(column.classes))
    rare = (counts.min(axis=0) < MIN_ROWS) & (total > 0)
    kept = column.known & ~rare[column.codes]
    left_out = {name: int(count) for name, count, out in zip(column.classes, total, rare, strict=True) if out}
    return Column(np.where(kept, column.codes, MISSING), column.classes), left_out


def _counts(column: Column, rows: Rows) -> list[Ints]:
    return [
        np.bincount(column.codes[part][column.known[part]], minlength=len(column.classes)).astype(np.int64)
        for part in rows
    ]
