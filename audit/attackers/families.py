"""The attackers: estimators that try to read v from z.

One linear, five that are not: a leak that a linear attacker cannot see is still a leak. Each runs on standardised and
on whitened features, since training against an attacker hides v in directions of small variance, which whitening blows
up again. A family may bring several settings; the selection rows choose among them.

An attacker of few rows finds no leak that takes many to be seen, so all learn from all rows but those that cannot:
kernels and neighbours compare every row with every other, and others hold what they learn from in memory. Their rows
are drawn by class. Every class weighs the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from audit.attackers.learner import AT_ONCE, Estimator, Labels, Learner, Matrix
from audit.attackers.network import NetworkClassifier, NetworkRegressor
from audit.attackers.products import ProductsClassifier, ProductsRegressor
from audit.errors import IreneError, UnknownNameError
from audit.plugins import resolve

Make = Callable[[int], Learner]
"""Makes an untrained attacker for features of a given width d."""


@dataclass(frozen=True)
class Family:
    """Attackers of one kind in several settings."""

    classifiers: Callable[[int], tuple[Make, ...]]
    """By seed."""
    regressors: Callable[[int], tuple[Make, ...]]
    """By seed; they see standardised values of v."""


@dataclass(frozen=True)
class Reach:
    """How many rows attackers of one kind learn from."""

    rows: int | None = None
    numbers: int | None = None
    """Rows times features that they hold in memory."""
    streams: bool = False
    dtype: str | None = None
    """Type of numbers that they hold, if it is not that of the features."""
    at_once: int = AT_ONCE
    """Rows that they are asked for at once."""

    def most(self, d: int) -> int | None:
        """Return the rows at most, of d features; None: all."""
        limits = [self.rows, None if self.numbers is None else max(1, self.numbers // d)]
        return min((one for one in limits if one is not None), default=None)


ALL = Reach(streams=True)
HELD = Reach(numbers=50_000_000)
BINNED = Reach(rows=200_000, numbers=25_000_000, dtype="float64")
"""Of trees."""
COMPARED = Reach(rows=5_000, at_once=1_000)
"""Of kernels and neighbours, which make a number of each pair of a row that is asked for and one that they know."""


def _settings(
    reach: Reach, kind: Callable[..., Any], *each: Mapping[str, Any], device: str = "cpu", **common: Any
) -> Callable[[int], tuple[Make, ...]]:
    """Return attackers of one kind by their seed; `width` is the kernel's gamma times d, since features vary by 1."""

    def made(settings: Mapping[str, Any], seed: int, d: int) -> Learner:
        own = {**common, **settings}
        if "width" in own:  # as a function: libsvm's own kernel takes ten times as long on wide features
            own["kernel"] = partial(rbf_kernel, gamma=own.pop("width") / d)
        estimator = cast(Estimator, _seeded(partial(kind, **own), seed, device))
        return Learner(estimator, reach.most(d), reach.streams, seed, reach.dtype, reach.at_once)

    return lambda seed: tuple(partial(made, one, seed) for one in each)


CACHE = 400
"""Megabytes of kernel values that one fit may keep: all of 5,000 rows, or fits on noise take many times as long."""
_BROAD, _DEEP = {"hidden": (256,), "decay": 0.3}, {"hidden": (128, 64), "decay": 10.0}
_TREES = {"max_iter": 100, "max_leaf_nodes": 15, "max_bins": 63, "max_features": 0.2, "early_stopping": False}
_EVEN = {"class_weight": "balanced"}
AS_FREQUENT = 1.1
"""How many times as frequent as another a class may be for weights to change nothing that counts."""


class EvenTrees(HistGradientBoostingClassifier):  # type: ignore[misc]
    """Boosted trees for which every class weighs the same; no weights where classes are about as frequent.

    Weights make scikit-learn look for the bins of each feature one by one, which takes longer than the trees.
    """

    def fit(self, z: Matrix, v: Labels) -> Self:
        """Learn classes, (n,), from features, (n, d)."""
        counts = np.unique(v, return_counts=True)[1]
        self.class_weight = "balanced" if counts.max() > AS_FREQUENT * counts.min() else None
        super().fit(z, v)
        return self


ATTACKERS: Mapping[str, Callable[[str], Family]] = {
    "logistic": lambda _: Family(
        _settings(HELD, LogisticRegression, {"C": 0.01}, {"C": 1.0}, max_iter=2000, **_EVEN),
        _settings(HELD, Ridge, {"alpha": 10.0}, {"alpha": 1000.0}),
    ),
    "products": lambda _: Family(_settings(ALL, ProductsClassifier, {}), _settings(ALL, ProductsRegressor, {})),
    "mlp": lambda device: Family(
        _settings(ALL, NetworkClassifier, _BROAD, _DEEP, device=device),
        _settings(ALL, NetworkRegressor, _BROAD, _DEEP, device=device),
    ),
    "rbf-svm": lambda _: Family(
        _settings(COMPARED, SVC, {"C": 10, "width": 1}, {"C": 100, "width": 0.1}, cache_size=CACHE, **_EVEN),
        _settings(COMPARED, SVR, {"C": 1, "width": 1}, {"C": 10, "width": 0.1}, cache_size=CACHE),
    ),
    "knn": lambda _: Family(
        _settings(COMPARED, KNeighborsClassifier, {"n_neighbors": 15, "weights": "distance"}),
        _settings(COMPARED, KNeighborsRegressor, {"n_neighbors": 15, "weights": "distance"}),
    ),
    "boosted-trees": lambda _: Family(
        _settings(BINNED, EvenTrees, _TREES),
        _settings(BINNED, HistGradientBoostingRegressor, _TREES),
    ),
}
"""Families by name and device. For a continuous attribute, `logistic` is ridge regression and the others regress."""


LONGEST_FIRST = ("mlp", "rbf-svm", "boosted-trees", "knn", "products", "logistic")
"""How long they take, of many rows."""


def slowness(name: str) -> int:
    """Return the place of an attacker among those that take longest; a user's own comes first."""
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else -1


def family(name: str, device: str = "cpu") -> Family:
    """Return the attackers of that name: a built-in one, or the user's own, `package.module:attribute`.

    The attribute is a class or a function that makes a scikit-learn classifier, which attacks classes, or a regressor,
    which attacks quantities. It is given `random_state` or `seed`, and `device`, if it takes them.
    """
    if name in ATTACKERS:
        return ATTACKERS[name](device)
    if ":" not in name:
        raise UnknownNameError("attacker", name, [*ATTACKERS, "package.module:attribute"])
    named = resolve(name, "attacker")

    def own(seed: int) -> tuple[Make, ...]:
        return (lambda _d: Learner(cast(Estimator, _seeded(named, seed, device)), seed=seed),)

    try:
        made = _seeded(named, 0, device)
    except TypeError as error:
        raise IreneError(f"{name} cannot be made without arguments ({error}). Name one that can.") from None
    except Exception:
        return Family(own, own)
    if not isinstance(made, BaseEstimator) or not (is_classifier(made) or is_regressor(made)):
        raise IreneError(f"{name} is no scikit-learn classifier or regressor, and makes none. Name one that is.")
    return Family(own, lambda _: ()) if is_classifier(made) else Family(lambda _: (), own)


def _seeded(named: Callable[..., object], seed: int, device: str = "cpu") -> object:
    """Make an estimator, with what it takes of the seed and the device."""
    offered = {"random_state": seed, "seed": seed, "device": device}
    try:
        taken = {*signature(named).parameters}
    except ValueError:  # a type of C has none
        taken = set()
    return named(**{name: value for name, value in offered.items() if name in taken})
