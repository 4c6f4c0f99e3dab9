"""The attackers: scikit-learn estimators that try to read v from z.

One linear, four that are not: a leak that a linear attacker cannot see is still a leak. Each runs on
standardised and on whitened features, since training against an attacker hides v in directions of
small variance, which whitening blows up again. A family may bring several settings; the selection rows
choose among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Protocol, cast

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR

from audit.errors import IreneError, UnknownNameError
from audit.plugins import resolve

Matrix = NDArray[Any]
"""Features of some rows, (n, d)."""
Three = Sequence[Matrix]
"""Features of the training, the selection and the test split."""
Labels = NDArray[Any]
"""v of some rows, (n,): codes 0 … k − 1 of classes, or numbers."""


class Estimator(Protocol):
    """What an attack asks of a scikit-learn classifier or regressor."""

    def fit(self, z: Matrix, v: NDArray[Any], /) -> object:
        """Learn v, (n,), from features, (n, d)."""

    def predict(self, z: Matrix, /) -> NDArray[Any]:
        """Return a class or a number for each row, (n,)."""


Make = Callable[[int], Estimator]
"""Makes an untrained estimator for features of a given width d."""


@dataclass(frozen=True)
class Family:
    """Attackers of one kind in several settings."""

    classifiers: Callable[[int], tuple[Make, ...]]
    """By seed."""
    regressors: Callable[[int], tuple[Make, ...]]
    """By seed; they see standardised values of v."""


def _settings(kind: Callable[..., Any], *each: Mapping[str, Any], **common: Any) -> Callable[[int], tuple[Make, ...]]:
    """Return estimators of one kind by their seed; `width` is the kernel's gamma times d, since features vary by 1."""

    def made(settings: Mapping[str, Any], seed: int, d: int) -> Estimator:
        own = {**common, **settings}
        if "width" in own:
            own["gamma"] = own.pop("width") / d
        return cast(Estimator, _seeded(partial(kind, **own), seed))

    return lambda seed: tuple(partial(made, one, seed) for one in each)


CACHE = 400
"""Megabytes of kernel values that one fit may keep: all of 10,000 rows, or fits on noise take many times as long."""
_BROAD = {"hidden_layer_sizes": (256,), "alpha": 1e-2, "max_iter": 60}
_DEEP = {"hidden_layer_sizes": (128, 64), "alpha": 1.0, "max_iter": 40}
_TREES = {"max_iter": 50, "max_leaf_nodes": 15, "max_bins": 63, "max_features": 0.2, "early_stopping": False}
ATTACKERS: Mapping[str, Family] = {
    "logistic": Family(
        _settings(LogisticRegression, {"C": 0.01}, {"C": 1.0}, max_iter=2000),
        _settings(Ridge, {"alpha": 10.0}, {"alpha": 1000.0}),
    ),
    "mlp": Family(
        _settings(MLPClassifier, _BROAD, _DEEP, learning_rate_init=2e-3, tol=0),
        _settings(MLPRegressor, _BROAD, _DEEP, learning_rate_init=2e-3, tol=0),
    ),
    "rbf-svm": Family(
        _settings(SVC, {"C": 10, "width": 1}, {"C": 100, "width": 0.1}, cache_size=CACHE, class_weight="balanced"),
        _settings(SVR, {"C": 1, "width": 1}, {"C": 10, "width": 0.1}, cache_size=CACHE),
    ),
    "knn": Family(
        _settings(KNeighborsClassifier, {"n_neighbors": 15, "weights": "distance"}),
        _settings(KNeighborsRegressor, {"n_neighbors": 15, "weights": "distance"}),
    ),
    "boosted-trees": Family(
        _settings(HistGradientBoostingClassifier, _TREES), _settings(HistGradientBoostingRegressor, _TREES)
    ),
}
"""For a continuous attribute, `logistic` is ridge regression and the others regress."""


def family(name: str, device: str = "cpu") -> Family:
    """Return the attackers of that name: a built-in one, or the user's own, `package.module:attribute`.

    The attribute is a class or a function that makes a scikit-learn classifier, which attacks classes, or a regressor,
    which attacks quantities. It is given `random_state` or `seed`, and `device`, if it takes them.
    """
    if name in ATTACKERS:
        return ATTACKERS[name]
    if ":" not in name:
        raise UnknownNameError("attacker", name, [*ATTACKERS, "package.module:Class"])
    named = resolve(name, "attacker")

    def own(seed: int) -> tuple[Make, ...]:
        return (lambda _d: cast(Estimator, _seeded(named, seed, device)),)

    try:
        made = _seeded(named, 0, device)
    except TypeError as error:
        raise IreneError(f"{name} cannot be made without arguments ({error}). Name one that can.") from None
    except Exception:
        return Family(own, own)
    if not isinstance(made, BaseEstimator) or not (is_classifier(made) or is_regressor(made)):
        raise IreneError(f"{name} is no scikit-learn classifier or regressor, and makes none. Name one that is.")
    return Family(own, _settings(named)) if is_classifier(made) else Family(_settings(named), own)


def _seeded(named: Callable[..., object], seed: int, device: str = "cpu") -> object:
    """Make an estimator, with what it takes of the seed and the device."""
    offered = {"random_state": seed, "seed": seed, "device": device}
    try:
        taken = {*signature(named).parameters}
    except ValueError:  # a type of C has none
        taken = set()
    return named(**{name: value for name, value in offered.items() if name in taken})
