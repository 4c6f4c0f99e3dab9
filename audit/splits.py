"""Three splits of the audit's rows, whole groups each, and a count of every class in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from audit.data import MIN_ROWS, Column, Ints
from audit.errors import DataError
from audit.evidence import ClassRows

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


def split_rows(groups: Ints, labels: Sequence[Ints], *, seed: int) -> Splits:
    """Split rows 5 : 2 : 3, whole groups each, with the classes of all labels spread evenly.

    Args:
        groups: Group of each row, (n,).
        labels: Columns to spread, each (n,).
        seed: Of the shuffle.

    Raises:
        DataError: There are too few groups.
    """
    found = len(np.unique(groups))
    if found < FOLDS:
        raise DataError(f"{len(groups)} rows form {found} groups; three splits need at least {FOLDS}. Give more rows.")
    alone = found == len(groups)
    folder = (StratifiedKFold if alone else StratifiedGroupKFold)(FOLDS, shuffle=True, random_state=seed)
    folds = [test for _, test in folder.split(groups, _strata(labels), None if alone else groups)]
    train, select, test = folds[:TRAIN], folds[TRAIN : TRAIN + SELECT], folds[TRAIN + SELECT :]
    joined = [np.sort(np.concatenate(part)).astype(np.int64) for part in (train, select, test)]
    return Splits(joined[0], joined[1], joined[2], groups)


def _strata(labels: Sequence[Ints]) -> Ints:
    """Return the cell of the joint table of all labels that each row is in, (n,), cells too rare to spread merged."""
    _, cells, counts = np.unique(np.stack(labels), axis=1, return_inverse=True, return_counts=True)
    cells = np.where(counts[cells] < FOLDS, -1, cells)
    if 0 < (cells == -1).sum() < FOLDS:
        cells = np.where(cells == -1, counts.argmax(), cells)
    return cells


def class_rows(attribute: str, column: Column, splits: Splits) -> list[ClassRows]:
    """Count each class in each split.

    Raises:
        DataError: A class has too few rows in a split to say anything about it.
    """
    parts = (splits.train, splits.select, splits.test)
    counts = [np.bincount(column.codes[rows], minlength=len(column.classes)) for rows in parts]
    rows = [
        ClassRows(name=name, train=int(a), select=int(b), test=int(c))
        for name, a, b, c in zip(column.classes, *counts, strict=True)
        if a + b + c > 0
    ]
    for one in rows:
        if min(one.train, one.select, one.test) < MIN_ROWS:
            raise DataError(
                f"Class {one.name!r} of {attribute!r} has {one.train} / {one.select} / {one.test} rows "
                f"to fit, choose and test attackers; each needs {MIN_ROWS}. "
                "Give more rows, or merge or leave out the class."
            )
    return rows
