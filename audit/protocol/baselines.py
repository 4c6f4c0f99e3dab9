"""Baselines of a finding: the task-label baseline (floor) and the input control (ceiling)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.stats
from scipy.stats.contingency import crosstab
from sklearn.naive_bayes import CategoricalNB

from audit.attackers.attack import attack, persistent
from audit.attackers.classification import ClassFit, Classification
from audit.attackers.learner import Labels, Learner, Matrix, Three
from audit.attackers.scoring import ClassReading, GuessReading, QuantityReading, Reading
from audit.bootstrap import resample
from audit.data.columns import MISSING, Answers, AnyColumn, Column, Ints, Quantity
from audit.errors import DataError
from audit.evidence.findings import Ceiling
from audit.protocol.audited_rows import Audited, audited
from audit.protocol.splits import Splits, at_most
from audit.settings import Settings

CONTROL = ("logistic", "rbf-svm")
"""Who attacks the raw input, in few settings: enough to show that they are able to."""
CONTROL_ROWS, CONTROL_TEST_ROWS = 2000, 10_000
INDEPENDENT = 0.05
"""ŷ tells something of v only if the chance of such a table without it is smaller (χ² test)."""


BINS = (2, 4, 8, 16, 32)
"""Into how many a ŷ that is a number may be cut, if each has FEWEST rows that fit."""
FEWEST = 20


@dataclass(frozen=True)
class Baselines:
    """What the references of a finding are made from."""

    predicted: Answers | None = None
    """ŷ of each row, (n,), classes or numbers: what the task-label baseline sees. None: the floor is a guess."""
    y: Answers | None = None
    """The true task label, (n,), MISSING or NaN where it is not known."""
    raw: Matrix | None = None
    """The input of each row, reduced to (n, m), for the input control."""
    source: str = ""
    """What `raw` is, in words."""


@dataclass(frozen=True)
class TaskLabels:
    """The task's labels by which the references of one attribute are made."""

    predicted: Ints | None
    """ŷ of every row, (n,), in 0 … m − 1."""
    y: Ints | None
    """The true label likewise, MISSING where it is not known."""
    bins: int | None = None
    """Into how many a task that is a quantity was cut; None for one of classes, or without a task."""


def task_labels(beside: Baselines, found: Audited) -> TaskLabels:
    """Return the task's labels as classes: numbers are cut at their quantiles of the rows that fit attackers.

    Into how many, the rows that choose among attackers tell: in so many, ŷ tells most of this attribute there. The true
    label is cut into as many.
    """
    whole = beside.y if beside.predicted is None else beside.predicted
    if whole is None or whole.dtype.kind in "iu":
        predicted, y = (None if one is None else one.astype(np.int64) for one in (beside.predicted, beside.y))
        return TaskLabels(predicted, y)
    train, select, test = (part[np.isfinite(whole[part])] for part in found.rows)
    rows, v = (train, select, test), tuple(found.labels[part] for part in (train, select, test))
    tried: dict[int, float] = {}
    for bins in BINS if _can_tell(found, v) else ():
        if not tried or bins * FEWEST <= len(train):
            label = _cut(whole, train, bins)
            tried[bins] = _loss_by_label(label, v, rows, found)
    bins = min(tried, key=lambda one: tried[one], default=BINS[0])
    predicted, y = (None if one is None else _cut(one, found.rows[0], bins) for one in (beside.predicted, beside.y))
    return TaskLabels(predicted, y, bins)


def _can_tell(found: Audited, v: Sequence[Labels]) -> bool:
    """Return whether rows are left, and of classes one of each in every split."""
    least = found.problem.k if isinstance(found.problem, Classification) else 1
    return min(len(np.unique(part)) for part in v) >= least


def _cut(values: Answers, rows: Ints, bins: int) -> Ints:
    """Return the bin of every row, (n,), between the quantiles of some rows; MISSING where there is no number."""
    known = np.isfinite(values)
    own = values[rows[known[rows]]]
    edges = np.unique(np.quantile(own, np.arange(1, bins) / bins)) if len(own) else np.empty(0)
    return np.where(known, np.searchsorted(edges, values, side="right"), MISSING).astype(np.int64)


def _loss_by_label(label: Ints, v: Sequence[Labels], rows: Sequence[Ints], found: Audited) -> float:
    """Return the loss of reading v of the rows that choose from a discrete input, fitted on those that fit."""
    if isinstance(found.problem, Classification):
        return _by_label(label, v, rows, found.problem.k).select.loss
    return QuantityReading(_means(label, v[0], rows[0])[label[rows[1]]], v[1]).loss


def _by_label(label: Ints, v: Sequence[Labels], rows: Sequence[Ints], k: int) -> ClassFit:
    table = CategoricalNB(min_categories=int(label.max()) + 1)
    seen: Three = [label[part].reshape(-1, 1) for part in rows]
    return Classification(k).fit(Learner(table), seen, v)


def by_label(label: Ints, v: Sequence[Labels], rows: Sequence[Ints], k: int) -> ClassReading:
    """Read v from a discrete input of every row, (n,), in 0 … m − 1: the table of frequencies is the best attacker."""
    return _by_label(label, v, rows, k).test


def _means(label: Ints, v: Labels, rows: Ints) -> Labels:
    """Return the mean of v over rows of each label, (m,); that of all rows where there is none."""
    count = int(label.max()) + 1
    sums, rows_each = np.bincount(label[rows], v, count), np.bincount(label[rows], minlength=count)
    return np.where(rows_each > 0, sums / np.maximum(rows_each, 1), v.mean())


def task_label_baseline(predicted: Ints | None, found: Audited) -> Reading:
    """Read v from ŷ alone, or guess: without ŷ, and where it shows no dependence on v in the rows that fit and select.

    The table of an independent ŷ would answer noise, which the excess over it would carry.
    """
    v, rows, problem = found.split_labels, found.rows, found.problem
    if isinstance(problem, Classification):
        guess = GuessReading(problem.metric, problem.guess)
        if predicted is None:
            return guess
        label = np.unique(predicted, return_inverse=True)[1]
        table = crosstab(np.concatenate([label[rows[0]], label[rows[1]]]), np.concatenate(v[:2])).count
        if scipy.stats.chi2_contingency(table).pvalue > INDEPENDENT:
            return guess
        return by_label(label, v, rows, problem.k)
    if predicted is None:
        return GuessReading(problem.metric, problem.guess)
    label = np.unique(predicted, return_inverse=True)[1]
    return QuantityReading(_means(label, v[0], rows[0])[label[rows[2]]], v[2])


def input_control(
    attribute: str, column: AnyColumn, splits: Splits, settings: Settings, beside: Baselines
) -> Ceiling | None:
    """Attack the raw input, where there is one: an attacker that fails here is too weak to certify anything."""
    if beside.raw is None or not settings.ceiling:
        return None
    own = tuple(name for name in settings.attackers if name in CONTROL) or settings.attackers
    fewer = replace(settings, attackers=own, test_rows=min(settings.test_rows or CONTROL_TEST_ROWS, CONTROL_TEST_ROWS))
    if isinstance(column, Quantity):
        fewer = replace(fewer, fit_rows=min(settings.fit_rows or CONTROL_ROWS, CONTROL_ROWS))
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
    resamples = resample(splits.groups[found.rows[2]], times=settings.bootstrap, seed=settings.seed, key=splits.key)
    figure = control.headline.estimate(found.problem.metric, resamples)
    return Ceiling(source=beside.source, strongest=control.strongest, figure=figure)
