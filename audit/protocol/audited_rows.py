"""The classes and rows of an attribute that are audited: what fits, selects and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from audit.attackers.attack import Problem, SplitData
from audit.attackers.classification import Classification
from audit.attackers.learner import Labels, Matrix
from audit.attackers.regression import Regression
from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity
from audit.data.labelled import MIN_ROWS
from audit.data.on_disk import taken
from audit.errors import DataError
from audit.evidence.findings import ClassRows
from audit.evidence.json_file import SMALL
from audit.protocol.splits import CommonClasses, Rows, Splits, class_rows, split_subset, without_rare
from audit.settings import Settings


@dataclass(frozen=True)
class Audited:
    """The rows of one attribute that are audited."""

    labels: Labels
    """v of every row, (n,): codes 0 … k − 1, MISSING for classes that are not audited, or numbers."""
    rows: Rows
    """Those that fit, select and test."""
    classes: tuple[ClassRows, ...]
    """Rows of each class; a quantity has one entry, named as the attribute."""
    missing: int
    """Rows without a value."""
    left_out: Mapping[str, int]
    """Rows of classes that are too rare."""
    merged: Mapping[str, int]
    """Rows of classes that are too rare alone, and were made one."""
    problem: Problem

    @property
    def held(self) -> int:
        """Rows with a class that is audited, or with a value: those of the splits, however few of them are used."""
        known = self.labels >= 0 if self.labels.dtype.kind in "iu" else np.isfinite(self.labels)
        return int(known.sum())

    @property
    def split_labels(self) -> tuple[Labels, Labels, Labels]:
        """v of the rows that fit, select and test."""
        train, select, test = (self.labels[part] for part in self.rows)
        return train, select, test

    def split(self, z: Matrix) -> SplitData:
        """Read the features, (n, d), of the rows that fit, select and test."""
        train, select, test = (taken(z, part) for part in self.rows)
        return SplitData((train, select, test), self.split_labels, self.problem)


def audited(attribute: str, column: AnyColumn, splits: Splits, settings: Settings) -> Audited:
    """Choose the classes and rows of an attribute that are audited: not the rare ones, or merged."""
    missing = int((~column.known).sum())
    if isinstance(column, Quantity):
        rows = split_subset(column, splits, settings)
        train, select, test = map(len, rows)
        if min(train, select, test) < MIN_ROWS:
            raise DataError(
                f"{attribute!r} has a value in {train} / {select} / {test} rows to fit, choose and test attackers; "
                f"each needs {MIN_ROWS}. Give more rows."
            )
        entry = ClassRows(name=attribute, train=train, select=select, test=test)
        return Audited(column.values, rows, (entry,), missing, {}, {}, Regression())
    common = without_rare(column, splits.rows, settings.min_class, settings.merge_rare)
    # too few classes are told before anything else
    class_rows(attribute, common, splits.rows, settings.min_class, splits.groups)
    common = _hide_small_cells(attribute, column, common, splits, settings)
    rows = split_subset(common.column, splits, settings)
    classes = tuple(class_rows(attribute, common, rows, settings.min_class, splits.groups))
    problem = Classification(len(classes))
    return Audited(_numbered(common.column), rows, classes, missing, common.left_out, common.merged, problem)


def _hide_small_cells(
    attribute: str, column: Column, common: CommonClasses, splits: Splits, settings: Settings
) -> CommonClasses:
    """Leave rows of large classes out with those of the classes of fewer than SMALL rows.

    In each split, SMALL rows a class are gone then: its rows less those of the audited classes are the same number
    whatever the counts that are withheld. The rows are drawn from the classes that have the most. Raises DataError if
    too few can be spared.
    """
    small = [code for code, name in enumerate(column.classes) if common.left_out.get(name, SMALL) < SMALL]
    codes, draw = common.column.codes.copy(), np.random.default_rng(settings.seed)
    for part in splits.rows if small else ():
        own = part[common.column.known[part]]
        counts = np.bincount(codes[own], minlength=len(common.column.classes))
        spared = np.zeros_like(counts)
        for _ in range(SMALL * len(small) - int(np.isin(column.codes[part], small).sum())):
            largest = (counts - spared).argmax()
            if counts[largest] - spared[largest] <= settings.min_class:
                raise DataError(
                    f"{attribute!r} has {len(small)} {'class' if len(small) == 1 else 'classes'} of fewer than {SMALL} "
                    "rows, and too few rows of others to leave out with them so that nobody can tell how few they are. "
                    "Merge them (--merge-rare NAME), take their rows out, or give more rows."
                )
            spared[largest] += 1
        for code in np.flatnonzero(spared):
            codes[draw.choice(own[codes[own] == code], spared[code], replace=False)] = MISSING
    return replace(common, column=Column(codes, common.column.classes, remarks=common.column.remarks))


def _numbered(column: Column) -> Ints:
    """Return the codes without gaps: classes without a row are gone."""
    codes = np.full(len(column), MISSING, dtype=np.int64)
    codes[column.known] = np.unique(column.codes[column.known], return_inverse=True)[1]
    return codes
