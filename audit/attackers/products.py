"""Attack by products of features: how the mean of z, of z·z and of z·z·z differs with v, over all rows, in closed form.

Each difference is a matched filter: the row's own products, weighted by it. Of the pairs there are four: all of them,
which finds a leak that is spread over all directions; the few directions whose variance differs most; the few pairs
that stand out; and the few triples. A logistic curve weighs them, fitted on halves that the filters did not see.
For normal features a filter of all rows is the best attacker there is as long as the leak is small; it costs one pass,
n · d² multiplications, where networks take many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge

from audit.attackers.learner import Labels, Matrix
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.data.on_disk import blocks, in_memory

WIDEST = 1024
"""Features that are multiplied with each other: the first of more, which hold the most variance once whitened."""
FARTHEST = 4.0
"""Deviations at which a feature is cut off, or one row would outweigh all others."""
BLOCK = 4096
TRIPLES = 64
"""Triples that are kept at most."""
TRIPLE_WORK, WORK_A_ROW = 5e10, 4e5
"""Multiplications that the search for triples may take at most, and for each row that there is; wider features are
searched on fewer rows."""
TRIPLE_ROWS = 500
"""With fewer rows there is nothing to tell one triple from another."""
HALVES = 2
UNIT_ROWS = 10_000
"""Rows, evenly spaced, by which a filter's deviation is measured."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class _Triple:
    """Three features whose product goes with v, and how much."""

    places: tuple[int, int, int]
    weight: float


@dataclass(frozen=True)
class _Filters:
    """How products of features go with one column of v, as learned from some rows."""

    first: Floats
    """(d,)"""
    second: Floats
    """(d, d)"""
    directions: tuple[Floats, Floats]
    """Eigenvectors, (d, m), and the values, (m,), that stand out of the noise."""
    pairs: Floats
    """`second` where it stands out of the noise, else 0."""
    triples: tuple[_Triple, ...]

    def scores(self, z: Floats) -> Doubles:
        """Return what each filter says of each row, (n, 5)."""
        vectors, values = self.directions
        third = np.zeros(len(z), dtype=np.float32)
        for one in self.triples:
            a, b, c = one.places
            third += one.weight * z[:, a] * z[:, b] * z[:, c]
        columns = [
            z @ self.first,
            ((z @ self.second) * z).sum(axis=1),
            ((z @ vectors) ** 2) @ values,
            ((z @ self.pairs) * z).sum(axis=1) if self.pairs.any() else np.zeros(len(z)),
            third,
        ]
        return np.stack(columns, axis=1).astype(np.float64)


class _Products(BaseEstimator):  # type: ignore[misc]
    """The filters, and what weighs them."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def _learn(self, z: Matrix, columns: Doubles) -> Doubles:
        """Learn filters for each column of v, (n, m); return what filters of the other half say of each row."""
        half = np.random.default_rng(self.random_state).integers(HALVES, size=len(z))
        sums = [_moments(z, columns, np.flatnonzero(half == one)) for one in range(HALVES)]
        triples = _searched(z, columns, half, self.random_state)
        crossed = [_filters([sums[1 - one]], triples[1 - one]) for one in range(HALVES)]
        said = np.zeros((len(z), len(crossed[0]) * 5))
        stirs = np.ones(said.shape[1], dtype=bool)
        for one in range(HALVES):
            own = np.flatnonzero(half == one)
            found = np.concatenate([_said(crossed[one], block) for block in _rows(z, own)])
            unit = found.std(axis=0)
            said[own] = found / np.where(unit > 0, unit, 1.0)
            stirs &= unit > 0
        self.filters_, some = _filters(sums, triples[HALVES]), np.linspace(0, len(z) - 1, UNIT_ROWS).astype(np.int64)
        self.unit_ = np.concatenate([_said(self.filters_, block) for block in _rows(z, np.unique(some))]).std(axis=0)
        self.stirs_ = stirs & (self.unit_ > 0)  # a filter that only one half has is a filter of noise
        return np.where(self.stirs_, said, 0.0)

    def _seen(self, z: Matrix) -> Doubles:
        """Return what the filters say of new rows, in their deviations."""
        found = np.concatenate([_said(self.filters_, _cut(block)) for block in blocks(z, BLOCK)])
        return np.where(self.stirs_, found / np.where(self.unit_ > 0, self.unit_, 1.0), 0.0)


class ProductsClassifier(ClassifierMixin, _Products):  # type: ignore[misc]
    """Read classes from products of features; every class weighs the same."""

    class_weight = "balanced"

    def fit(self, z: Matrix, v: Labels) -> Self:
        """Learn classes 0 … k − 1, (n,), from features of about unit variance, (n, d)."""
        self.classes_, counts = np.unique(v, return_counts=True)
        share = counts / len(v)
        of_class = (v[:, None] == self.classes_[1:] if len(counts) == 2 else v[:, None] == self.classes_) * 1.0
        own = share[1:] if len(counts) == 2 else share
        columns = of_class / own - (1 - of_class) / (1 - own)
        said = self._learn(z, columns / 2)
        self.weights_ = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500).fit(said, v)
        return self

    def predict_proba(self, z: Matrix) -> Doubles:
        """Return the probability of each class, (n, k), were they equally frequent."""
        return np.asarray(self.weights_.predict_proba(self._seen(z)))

    def predict(self, z: Matrix) -> Labels:
        """Return the class that is likeliest, (n,)."""
        return np.asarray(self.classes_[self.predict_proba(z).argmax(axis=1)])


class ProductsRegressor(RegressorMixin, _Products):  # type: ignore[misc]
    """Read a quantity from products of features."""

    def fit(self, z: Matrix, v: Labels) -> Self:
        """Learn numbers, (n,), from features of about unit variance, (n, d)."""
        self.middle_, scale = float(v.mean()), float(v.std()) or 1.0
        said = self._learn(z, ((v - self.middle_) / scale)[:, None])
        self.weights_ = Ridge(alpha=1.0).fit(said, v)
        return self

    def predict(self, z: Matrix) -> Doubles:
        """Return a number for each row, (n,)."""
        return np.asarray(self.weights_.predict(self._seen(z)))


@dataclass(frozen=True)
class _Moments:
    """Sums over some rows of products of features, times each column of v."""

    rows: int
    power: Doubles
    """Mean square of each column, (m,)."""
    first: Doubles
    """(m, d)"""
    second: Doubles
    """(m, d, d)"""


def _cut(z: Matrix) -> Floats:
    return np.clip(z[:, :WIDEST], -FARTHEST, FARTHEST).astype(np.float32, copy=False)


def _rows(z: Matrix, rows: Ints) -> Iterator[Floats]:
    """Read some rows block by block, in order."""
    for block in blocks(rows, BLOCK):
        yield _cut(in_memory(z, block))


def _moments(z: Matrix, columns: Doubles, rows: Ints) -> _Moments:
    d, m = min(z.shape[1], WIDEST), columns.shape[1]
    first, second = np.zeros((m, d)), np.zeros((m, d, d))
    for taken, block in zip(blocks(rows, BLOCK), _rows(z, rows), strict=True):
        u = columns[taken].astype(np.float32)
        first += u.T @ block
        for column in range(m):
            second[column] += block.T @ (u[:, [column]] * block)
    n = max(1, len(rows))
    return _Moments(n, (columns[rows] ** 2).mean(axis=0), first / n, second / n)


def _filters(parts: list[_Moments], triples: list[tuple[_Triple, ...]]) -> list[_Filters]:
    """Make the filters for each column of v, from the moments of one half or of both."""
    n = sum(part.rows for part in parts)

    def mean(values: list[Doubles]) -> Doubles:
        return np.asarray(sum(part.rows / n * value for part, value in zip(parts, values, strict=True)))

    first, second = mean([part.first for part in parts]), mean([part.second for part in parts])
    power, d = mean([part.power for part in parts]), first.shape[1]
    found = []
    for column in range(len(first)):
        square = second[column]
        noise = float(np.median(np.abs(square))) / 0.6745 or float(np.sqrt(power[column] / n))
        values, vectors = np.linalg.eigh(square)
        values = np.sign(values) * np.maximum(np.abs(values) - 2 * noise * np.sqrt(d), 0)  # the edge of pure noise
        out = np.abs(square) > noise * np.sqrt(2 * np.log(max(d * d / 2, 2)))
        found.append(
            _Filters(
                first[column].astype(np.float32),
                square.astype(np.float32),
                (vectors[:, values != 0].astype(np.float32), values[values != 0].astype(np.float32)),
                np.where(out, square, 0).astype(np.float32),
                triples[column],
            )
        )
    return found


def _said(filters: list[_Filters], z: Floats) -> Doubles:
    return np.concatenate([one.scores(z) for one in filters], axis=1)


def _searched(z: Matrix, columns: Doubles, half: Ints, seed: int) -> list[list[tuple[_Triple, ...]]]:
    """Search each half, and both, for triples that stand out of the noise: for each column of v."""
    d, m = min(z.shape[1], WIDEST), columns.shape[1]
    most = int(min(len(z), min(TRIPLE_WORK, WORK_A_ROW * len(z)) / (m * d**3)))
    if most < TRIPLE_ROWS or d < 3:
        return [[()] * m] * (HALVES + 1)
    rows = np.sort(np.random.default_rng(seed).permutation(len(z))[:most])
    taken, u, own = _cut(in_memory(z, rows)), columns[rows].astype(np.float32), half[rows]
    found: list[list[tuple[_Triple, ...]]] = [[], [], []]
    for column in range(m):
        parts = [(taken[own == one], u[own == one, column]) for one in range(HALVES)]
        for place, triples in enumerate(_triples(parts)):
            found[place].append(triples)
    return found


def _triples(parts: list[tuple[Floats, Floats]]) -> list[tuple[_Triple, ...]]:
    """Return the triples that stand out in each part, and in all of them together, strongest first."""
    d, sizes = parts[0][0].shape[1], np.array([len(z) for z, _ in parts], dtype=np.float64)
    reach = np.sqrt(2 * np.log(max(d**3 / 6, 2)))
    candidates: list[list[tuple[float, float, tuple[int, int, int]]]] = [[] for _ in range(len(parts) + 1)]
    for a in range(d - 2):
        each = [z[:, a + 1 :].T @ ((u * z[:, a])[:, None] * z[:, a + 1 :]) / max(1, len(z)) for z, u in parts]
        each.append(np.asarray(np.average(each, axis=0, weights=sizes), dtype=np.float32))
        for place, found in enumerate(each):
            level = np.sqrt(np.sum(sizes) if place == len(parts) else sizes[place])
            noise = float(np.median(np.abs(found))) / 0.6745 or 1 / level
            for b, c in zip(*np.nonzero(np.triu(np.abs(found) > reach * noise, 1)), strict=True):
                weight = float(found[b, c])
                candidates[place].append((abs(weight) / noise, weight, (a, a + 1 + int(b), a + 1 + int(c))))
    return [
        tuple(_Triple(places, weight) for _, weight, places in sorted(own, reverse=True)[:TRIPLES])
        for own in candidates
    ]
