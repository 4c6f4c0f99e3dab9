"""An estimator with the rows that it may learn from, drawn by class; and its scores, free of the classes' frequencies.

Features may be a mapped file: they are read in blocks, so that only what an estimator asks for is in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.data.labelled import MIN_ROWS
from audit.data.on_disk import blocks, in_memory

Matrix = NDArray[Any]
"""Features of some rows, (n, d)."""
Three = Sequence[Matrix]
"""Features of the training, the selection and the test split."""
Labels = NDArray[Any]
"""v of some rows, (n,): codes 0 … k − 1 of classes, or numbers."""
SMALLEST = 1e-12
AT_ONCE = 4096
"""Rows that are written, or asked for their scores, at once."""


class Estimator(Protocol):
    """What an attack asks of a scikit-learn classifier or regressor."""

    def fit(self, z: Matrix, v: NDArray[Any], /) -> object:
        """Learn v, (n,), from features, (n, d)."""

    def predict(self, z: Matrix, /) -> NDArray[Any]:
        """Return a class or a number for each row, (n,)."""


@dataclass
class Learner:
    """One estimator, and what it learned from."""

    estimator: Estimator
    most: int | None = None
    """Rows that it learns from at most, drawn by class; None: all."""
    streams: bool = False
    """Whether it reads a mapped file block by block itself; any other is given its rows in memory."""
    seed: int = 0
    dtype: str | None = None
    """Type of the numbers that it would make of its rows itself, with both in memory; None: as they are."""
    at_once: int = AT_ONCE
    """Rows that it is asked for at once."""
    prior: Doubles = field(default_factory=lambda: np.ones(1))
    """Frequencies of the classes under which its probabilities hold, (k,), once it is fitted to classes."""
    rows: int = 0
    """Rows that it learned from."""

    def fit(self, z: Matrix, v: Labels) -> "Learner":
        """Learn v, (n,), from features, (n, d)."""
        classes = v.dtype.kind in "iu"
        rows = drawn_by_class(v if classes else np.zeros(len(v), dtype=np.int64), self.most, self.seed)
        given = z if self.streams and len(rows) == len(z) else in_memory(z, rows, self.dtype)
        self.estimator.fit(given, v[rows])
        self.rows = len(rows)
        if classes:
            k = int(v.max()) + 1
            weighted = getattr(self.estimator, "class_weight", None) == "balanced"
            self.prior = np.full(k, 1 / k) if weighted else np.bincount(v[rows], minlength=k) / len(rows)
        return self

    def scores(self, z: Matrix) -> Doubles:
        """Return a score for each class, (n, k), in which the classes' frequencies play no part."""
        said = [raw_scores(self.estimator, block, self.prior) for block in blocks(z, self.at_once)]
        return _finite(np.concatenate(said))

    def answers(self, z: Matrix) -> Doubles:
        """Return a number for each row, (n,)."""
        said = [np.asarray(self.estimator.predict(block), dtype=np.float64) for block in blocks(z, self.at_once)]
        return _finite(np.concatenate([one.ravel() for one in said]))


def _finite(said: Doubles) -> Doubles:
    """Return what an estimator said of rows, (n, …); raise if it is no number for some, and would win or spoil all."""
    if wrong := int((~np.isfinite(said).reshape(len(said), -1).all(axis=1)).sum()):
        raise FloatingPointError(f"its answer for {wrong} of {len(said)} rows is no finite number")
    return said


def drawn_by_class(codes: Ints, most: int | None, seed: int) -> Ints:
    """Return at most so many rows of classes, (n,), in order: as many of each class, and all of one that has fewer.

    MIN_ROWS of each stay however few are asked for, even if that makes more.
    """
    if most is None or len(codes) <= most:
        return np.arange(len(codes), dtype=np.int64)
    names, counts = np.unique(codes, return_counts=True)
    quota, left = dict.fromkeys(names.tolist(), 0), most
    for place, which in enumerate(np.argsort(counts, kind="stable")):
        share = min(int(counts[which]), max(MIN_ROWS, left // (len(names) - place)))
        quota[int(names[which])], left = share, left - share
    order = np.random.default_rng(seed).permutation(len(codes))
    kept = [order[codes[order] == name][:few] for name, few in quota.items()]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def raw_scores(estimator: Any, inputs: Matrix, prior: Doubles) -> Doubles:
    """Return a score for each class, (n, k), in which the classes' frequencies play no part.

    Probabilities are divided by the frequencies that they hold under, `prior`, (k,); decision values are taken as they
    are. A classifier without scores gets its answers counted.
    """
    known = dir(estimator)
    if "predict_proba" in known:
        probabilities = np.asarray(estimator.predict_proba(inputs), dtype=np.float64)
        return np.log(np.maximum(probabilities, SMALLEST)) - np.log(prior)
    if "decision_function" in known:
        values = np.asarray(estimator.decision_function(inputs), dtype=np.float64)
        return np.stack([-values / 2, values / 2], axis=1) if values.ndim == 1 else values
    return np.eye(len(prior))[np.asarray(estimator.predict(inputs), dtype=np.int64)]
