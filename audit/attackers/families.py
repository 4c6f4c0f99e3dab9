"""The attackers: scikit-learn estimators that try to read v from z.

One linear, four that are not: a leak that a linear attacker cannot see is still a leak. Each runs on
standardised and on whitened features, since training against an attacker hides v in directions of
small variance, which whitening blows up again. A family may bring several settings; the selection rows
choose among them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from audit.errors import IreneError, UnknownNameError
from audit.plugins import resolve

Matrix = NDArray[Any]


class Estimator(Protocol):
    """What an attack asks of a scikit-learn classifier or regressor."""

    def fit(self, z: Matrix, v: NDArray[Any], /) -> object:
        """Learn v, (n,), from features, (n, d)."""

    def predict(self, z: Matrix, /) -> NDArray[Any]:
        """Return a class or a number for each row, (n,)."""


class Preprocessing(Protocol):
    """A fitted scikit-learn transformer."""

    def transform(self, z: Matrix, /) -> Matrix:
        """Return features, (n, m), of features, (n, d)."""


Make = Callable[[int], Estimator]
"""Makes an untrained estimator for features of a given width d."""


@dataclass(frozen=True)
class Family:
    """Attackers of one kind in several settings."""

    classifiers: Callable[[int], tuple[Make, ...]]
    """By seed."""
    regressors: Callable[[int], tuple[Make, ...]]
    """By seed; they see standardised values of v."""


def _settings(kind: Callable[..., Any], *each: Mapping[str, Any], **common: Any) -> tuple[Make, ...]:
    return tuple(partial(_made, kind, {**common, **one}) for one in each)


def _made(kind: Callable[..., Any], settings: Mapping[str, Any], d: int) -> Any:
    """Make an estimator; `width` is the kernel's gamma as a multiple of 1 / d, since features have variance 1."""
    own = {
        ("gamma" if name == "width" else name): (value / d if name == "width" else value)
        for name, value in settings.items()
    }
    return kind(**own)


def _linear(seed: int) -> tuple[Make, ...]:
    return _settings(LogisticRegression, {"C": 0.01}, {"C": 1.0}, max_iter=2000, random_state=seed)


def _ridge(_seed: int) -> tuple[Make, ...]:
    return _settings(Ridge, {"alpha": 10.0}, {"alpha": 1000.0})


def _mlp(kind: type, seed: int) -> tuple[Make, ...]:
    broad = {"hidden_layer_sizes": (256,), "alpha": 1e-2, "max_iter": 60}
    deep = {"hidden_layer_sizes": (128, 64), "alpha": 1.0, "max_iter": 40}
    return _settings(kind, broad, deep, learning_rate_init=2e-3, tol=0, random_state=seed)


def _svc(seed: int) -> tuple[Make, ...]:
    return _settings(
        SVC,
        {"C": 10.0, "width": 1.0},
        {"C": 100.0, "width": 0.1},
        cache_size=CACHE,
        class_weight="balanced",
        random_state=seed,
    )


def _svr(_seed: int) -> tuple[Make, ...]:
    return _settings(SVR, {"C": 1.0, "width": 1.0}, {"C": 10.0, "width": 0.1}, cache_size=CACHE)


def _knn(kind: type, _seed: int) -> tuple[Make, ...]:
    return _settings(kind, {"n_neighbors": 15}, weights="distance")


def _boosted_trees(kind: type, seed: int) -> tuple[Make, ...]:
    small = {"max_iter": 50, "max_leaf_nodes": 15, "max_bins": 63, "max_features": 0.2}
    return _settings(kind, small, early_stopping=False, random_state=seed)


ATTACKERS: Mapping[str, Family] = {
    "logistic": Family(_linear, _ridge),
    "mlp": Family(partial(_mlp, MLPClassifier), partial(_mlp, MLPRegressor)),
    "rbf-svm": Family(_svc, _svr),
    "knn": Family(partial(_knn, KNeighborsClassifier), partial(_knn, KNeighborsRegressor)),
    "boosted-trees": Family(
        partial(_boosted_trees, HistGradientBoostingClassifier), partial(_boosted_trees, HistGradientBoostingRegressor)
    ),
}
"""For a continuous attribute, `logistic` is ridge regression and the others regress."""
CACHE = 400
"""Megabytes of kernel values that one fit may keep: all of 10,000 rows, or fits on noise take many times as long."""
VIEWS = ("standardised", "whitened")
"""How features are preprocessed for every attacker."""
MIN_VARIANCE = 1e-9
"""Whitening drops directions below this share of the largest variance: they hold rounding noise only."""
ROWS_PER_DIRECTION = 4
"""Whitening keeps at most one direction for this many rows, or noise is all it blows up."""


def family(name: str, device: str = "cpu") -> Family:
    """Return the attackers of that name: a built-in one, or the user's own, `package.module:attribute`.

    The attribute is a class or a function that makes a scikit-learn classifier, which attacks classes, or a regressor,
    which attacks quantities. It is given `random_state` or `seed`, and `device`, if it takes them.

    Raises:
        UnknownNameError: There is none of that name.
        IreneError: What was named is no classifier and no regressor, or cannot be made without other arguments.
    """
    if name in ATTACKERS:
        return ATTACKERS[name]
    if ":" not in name:
        raise UnknownNameError("attacker", name, [*ATTACKERS, "package.module:Class"])
    named = resolve(name, "attacker")
    try:
        made = _own(named, 0, device)
    except Exception as error:
        raise IreneError(f"{name} cannot be made without arguments ({error}). Name one that can.") from None
    if not isinstance(made, BaseEstimator) or not (is_classifier(made) or is_regressor(made)):
        raise IreneError(f"{name} is no scikit-learn classifier or regressor. Name a class with fit and predict.")

    def own(seed: int) -> tuple[Make, ...]:
        return (lambda _d: cast(Estimator, _own(named, seed, device)),)

    return Family(own, _none) if is_classifier(made) else Family(_none, own)


def _own(named: Callable[..., object], seed: int, device: str) -> object:
    """Make the user's estimator, with what it takes of the seed and the device."""
    offered = {"random_state": seed, "seed": seed, "device": device}
    try:
        taken = {*signature(named).parameters}
    except ValueError:  # a type of C has none
        taken = set()
    return named(**{name: value for name, value in offered.items() if name in taken})


def _none(_seed: int) -> tuple[Make, ...]:
    return ()


def preprocessing(name: str, z: Matrix) -> Preprocessing:
    """Fit one of VIEWS on the attackers' training rows z, (n, d)."""
    scaler: Preprocessing = StandardScaler().fit(z)
    if name == "standardised":
        return scaler
    scaled = scaler.transform(z)
    variances = np.linalg.svd(scaled, compute_uv=False) ** 2  # descending
    if not variances[0] > 0:
        return scaler  # one vector for all rows: there is no direction to whiten
    rank = int((variances > MIN_VARIANCE * variances[0]).sum())
    directions = max(1, min(rank, len(z) // ROWS_PER_DIRECTION))
    whitening: Preprocessing = make_pipeline(scaler, PCA(directions, whiten=True, svd_solver="full").fit(scaled))
    return whitening
