"""One attribute as it is attacked at every layer: its rows, labels, resamples and baselines, made once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.stats
from scipy.stats.contingency import crosstab
from sklearn.naive_bayes import CategoricalNB

from audit.attackers.attack import Problem, SplitData, attack, persistent
from audit.attackers.classification import Classification
from audit.attackers.families import Labels, Matrix, Three
from audit.attackers.readings import ClassReading, GuessReading, QuantityReading, Reading
from audit.attackers.regression import Regression
from audit.bootstrap import Resamples, resample
from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity
from audit.data.labelled import MIN_ROWS
from audit.data.on_disk import in_memory
from audit.errors import DataError
from audit.evidence.findings import Ceiling, ClassRows
from audit.protocol.splits import Rows, Splits, at_most, class_rows, split_subset, without_rare
from audit.settings import Settings

CONTROL = ("logistic", "rbf-svm")
"""Who attacks the raw input, in few settings: enough to show that they are able to."""
CONTROL_ROWS = 2000
INDEPENDENT = 0.05
"""ŷ tells something of v only if the chance of such a table without it is smaller (χ² test)."""


@dataclass(frozen=True)
class Baselines:
    """What the references of a finding are made from."""

    predicted: Ints | None = None
    """ŷ of each row, (n,): what the task-label baseline sees. None: the floor is a guess."""
    y: Ints | None = None
    """The true task label, (n,), MISSING where it is not known."""
    raw: Matrix | None = None
    """The input of each row, reduced to (n, m), for the input control."""
    source: str = ""
    """What `raw` is, in words."""


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
    """Rows of classes of an intersection that are too rare."""
    problem: Problem

    @property
    def split_labels(self) -> tuple[Labels, Labels, Labels]:
        """v of the rows that fit, select and test."""
        train, select, test = (self.labels[part] for part in self.rows)
        return train, select, test

    def split(self, z: Matrix) -> SplitData:
        """Read the features, (n, d), of the rows that fit, select and test."""
        train, select, test = (in_memory(z, part) for part in self.rows)
        return SplitData((train, select, test), self.split_labels, self.problem)


@dataclass(frozen=True)
class Target:
    """One attribute, ready to be attacked at any layer."""

    attribute: str
    audited: Audited
    resamples: Resamples
    """Of the test rows."""
    floor: Reading
    """The task-label baseline on the test rows."""
    ceiling: Ceiling | None
    y: Ints | None
    """The true task label of every row, as in Baselines."""
    draw: Callable[[Ints], Resamples]
    """Resamples other test rows alike."""
    groups: Ints


def audited(attribute: str, column: AnyColumn, splits: Splits, settings: Settings) -> Audited:
    """Choose the classes and rows of an attribute that are audited; of an intersection, `a+b`, not the rare ones."""
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
        return Audited(column.values, rows, (entry,), missing, {}, Regression())
    left_out: dict[str, int] = {}
    if "+" in attribute:
        column, left_out = without_rare(column, split_subset(column, splits, settings))
    rows = split_subset(column, splits, settings)
    classes = class_rows(attribute, column, rows)
    return Audited(_numbered(column), rows, tuple(classes), missing, left_out, Classification(len(classes)))


def make_target(
    attribute: str, column: AnyColumn, splits: Splits, settings: Settings, baselines: Baselines | None = None
) -> Target:
    """Prepare an attribute: rows, labels, resamples, task-label baseline, input control."""
    beside = baselines or Baselines()
    found = audited(attribute, column, splits, settings)

    def draw(rows: Ints) -> Resamples:
        return resample(splits.groups[rows], times=settings.bootstrap, seed=settings.seed)

    return Target(
        attribute,
        found,
        resamples=draw(found.rows[2]),
        floor=_floor(beside.predicted, found),
        ceiling=_input_control(attribute, column, splits, settings, beside),
        y=beside.y,
        draw=draw,
        groups=splits.groups,
    )


def by_label(label: Ints, v: Sequence[Labels], rows: Sequence[Ints], k: int) -> ClassReading:
    """Read v from a discrete input of every row, (n,), in 0 … m − 1: the table of frequencies is the best attacker."""
    table = CategoricalNB(min_categories=int(label.max()) + 1)
    seen: Three = [label[part].reshape(-1, 1) for part in rows]
    return Classification(k).fit(table, seen, v).test


def _numbered(column: Column) -> Ints:
    """Return the codes without gaps: classes without a row are gone."""
    codes = np.full(len(column), MISSING, dtype=np.int64)
    codes[column.known] = np.unique(column.codes[column.known], return_inverse=True)[1]
    return codes


def _floor(predicted: Ints | None, found: Audited) -> Reading:
    """Read v from ŷ alone, or guess: without ŷ, and where it shows no dependence on v in the rows that fit and select.

    The table of an independent ŷ would answer noise, which the excess over it would carry.
    """
    v, rows, problem = found.split_labels, found.rows, found.problem
    if isinstance(problem, Classification):
        guess = GuessReading(problem.metric, 1 / problem.k)
        if predicted is None:
            return guess
        label = np.unique(predicted, return_inverse=True)[1]
        table = crosstab(np.concatenate([label[rows[0]], label[rows[1]]]), np.concatenate(v[:2])).count
        if scipy.stats.chi2_contingency(table).pvalue > INDEPENDENT:
            return guess
        return by_label(label, v, rows, problem.k)
    if predicted is None:
        return GuessReading(problem.metric, 0.0)
    label = np.unique(predicted, return_inverse=True)[1]
    count = int(label.max()) + 1
    sums = np.bincount(label[rows[0]], v[0], count)
    rows_each = np.bincount(label[rows[0]], minlength=count)
    means = np.where(rows_each > 0, sums / np.maximum(rows_each, 1), v[0].mean())
    return QuantityReading(means[label[rows[2]]], v[2])


def _input_control(
    attribute: str, column: AnyColumn, splits: Splits, settings: Settings, beside: Baselines
) -> Ceiling | None:
    """Attack the raw input, where there is one: an attacker that fails here is too weak to certify anything."""
    if beside.raw is None or not settings.ceiling:
        return None
    own = tuple(name for name in settings.attackers if name in CONTROL) or settings.attackers
    fewer = replace(settings, attackers=own)
    if isinstance(column, Quantity):
        fewer = replace(fewer, fit_rows=min(settings.fit_rows, CONTROL_ROWS))
    found = audited(attribute, column, splits, fewer)
    if isinstance(column, Column):
        train = found.rows[0]
        few = at_most(train, CONTROL_ROWS, settings.seed, found.labels[train].astype(np.int64))
        found = replace(found, rows=(few, *found.rows[1:]))
    data = found.split(beside.raw)
    try:
        control = persistent(lambda failed: attack(data, fewer, tries=found.problem.control_tries, failed=failed))
    except DataError as error:
        raise DataError(f"{attribute!r} in the raw input: {error}") from None
    resamples = resample(splits.groups[found.rows[2]], times=settings.bootstrap, seed=settings.seed)
    figure = control.headline.estimate(found.problem.metric, resamples)
    return Ceiling(source=beside.source, strongest=control.strongest, figure=figure)
