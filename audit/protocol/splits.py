"""Three splits of the audit's rows, whole groups each, and a count of every class in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from audit.attackers.learner import drawn_by_class
from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity
from audit.errors import DataError
from audit.evidence.findings import ClassRows
from audit.evidence.json_file import SMALL
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
    key: bytes = b""
    """What resamples are drawn from beside the seed (LabelledData.resampling_key)."""

    @property
    def rows(self) -> "Rows":
        """The three splits."""
        return self.train, self.select, self.test


Rows = tuple[Ints, Ints, Ints]
"""Rows that fit, choose and test."""


def split_rows(groups: Ints, labels: Sequence[AnyColumn], *, seed: int, key: bytes = b"") -> Splits:
    """Split rows 5 : 2 : 3, whole groups each, the classes of labels and the fifths of quantities spread evenly.

    Args:
        groups: Of all rows, (n,).
        labels: Columns of all rows.
        seed: Of the split, which who reads the evidence may draw again.
        key: Of the resamples, which they may not.
    """
    found = len(np.unique(groups))
    if found < FOLDS:
        raise DataError(f"{len(groups)} rows form {found} groups; three splits need at least {FOLDS}. Give more rows.")
    alone = found == len(groups)
    folder = (StratifiedKFold if alone else StratifiedGroupKFold)(FOLDS, shuffle=True, random_state=seed)
    folds = [test for _, test in folder.split(groups, _strata(labels), None if alone else groups)]
    train, select, test = folds[:TRAIN], folds[TRAIN : TRAIN + SELECT], folds[TRAIN + SELECT :]
    joined = [np.sort(np.concatenate(part)).astype(np.int64) for part in (train, select, test)]
    return Splits(joined[0], joined[1], joined[2], groups, key)


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


@dataclass(frozen=True)
class CommonClasses:
    """A column without its rare classes."""

    column: Column
    left_out: dict[str, int]
    """Rows of each class that was taken out."""
    merged: dict[str, int]
    """Rows of each class that was merged with others."""


def class_rows(attribute: str, common: CommonClasses, rows: Rows, least: int, groups: Ints) -> list[ClassRows]:
    """Count each class that is left in the splits; raise a DataError if there are fewer than two.

    Args:
        attribute: Its name.
        common: Its classes that are not rare.
        rows: That fit, select and test.
        least: Rows of a class that each needs.
        groups: Of all rows, (n,).
    """
    found = [
        ClassRows(name=name, train=int(a), select=int(b), test=int(c))
        for name, a, b, c in zip(common.column.classes, *_counts(common.column, rows), strict=True)
        if a + b + c > 0
    ]
    if len(found) < 2:
        next_one = max(common.left_out, key=lambda name: common.left_out[name], default=None)
        fact = "" if next_one is None else f", and {next_one!r} has {common.left_out[next_one]} in all"
        many = len(np.unique(groups))
        fact += f"; the {len(groups):,} rows are of {many:,} groups, each whole in one split" * (many < len(groups))
        raise DataError(
            f"{attribute!r} has {'one class' if found else 'no class'} with enough rows to fit, to choose and to test "
            f"attackers: each needs {least} in each of three splits{fact}. Give more rows, of more people where each "
            "has many, or merge classes, for instance with --merge-rare."
        )
    return found


def without_names(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return rows of classes; those of fewer than SMALL rows as one entry without their names, which may be a person's.

    A cell such as `HIV, sees Dr Kowalski` tells who it is of, however its count is withheld.
    """
    few = sum(count < SMALL for count in counts.values())
    told: dict[str, int | None] = {name: count for name, count in counts.items() if count >= SMALL}
    if few:
        told[f"{few} classes of fewer than {SMALL} rows" if few > 1 else f"a class of fewer than {SMALL} rows"] = None
    return told


def without_rare(column: Column, rows: Rows, least: int, merge: str | None = None) -> CommonClasses:
    """Take out the classes with fewer rows than `least` in one of the splits.

    With `merge`, they become one class of that name, together with one that has it already, if that is enough rows.
    """
    rare = _rare(column, rows, least)
    counts = {name: int(count) for name, count in zip(column.classes, _total(column), strict=True)}
    out = {name: counts[name] for name, is_out in zip(column.classes, rare, strict=True) if is_out}
    if merge is not None and out:
        common = [name for name in column.classes if name not in out and name != merge]
        places = [common.index(name) if name in common else len(common) for name in column.classes]
        codes = np.where(column.known, np.array(places)[column.codes], MISSING)
        joined = Column(codes, (*common, merge), remarks=column.remarks)
        if not _rare(joined, rows, least)[-1]:
            return CommonClasses(joined, {}, out)
    kept = column.known & ~rare[column.codes]
    return CommonClasses(Column(np.where(kept, column.codes, MISSING), column.classes), out, {})


def _rare(column: Column, rows: Rows, least: int) -> NDArray[np.bool_]:
    """Return which classes have rows, but too few of them in one of the splits."""
    few: NDArray[np.bool_] = np.stack(_counts(column, rows)).min(axis=0) < least
    return few & (_total(column) > 0)


def _total(column: Column) -> Ints:
    return np.bincount(column.codes[column.known], minlength=len(column.classes)).astype(np.int64)


def _counts(column: Column, rows: Rows) -> list[Ints]:
    return [
        np.bincount(column.codes[part][column.known[part]], minlength=len(column.classes)).astype(np.int64)
        for part in rows
    ]
