"""The attackers: scikit-learn classifiers that try to read v from z.

One linear, four that are not: a leak that a linear attacker cannot see is still a leak. Each runs on
standardised and on whitened features, since training against an attacker hides v in directions of
small variance, which whitening blows up again.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audit.errors import UnknownNameError

Matrix = NDArray[Any]


def _logistic(seed: int) -> Any:
    return LogisticRegression(C=1.0, max_iter=2000, random_state=seed)


def _mlp(seed: int) -> Any:
    return MLPClassifier((256,), alpha=1e-2, learning_rate_init=2e-3, max_iter=60, tol=0, random_state=seed)


def _rbf_svm(seed: int) -> Any:
    return SVC(C=10.0, kernel="rbf", gamma="scale", class_weight="balanced", random_state=seed)


def _knn(_seed: int) -> Any:
    return KNeighborsClassifier(n_neighbors=15, weights="distance")


def _boosted_trees(seed: int) -> Any:
    return HistGradientBoostingClassifier(max_iter=60, early_stopping=False, random_state=seed)


ATTACKERS: Mapping[str, Callable[[int], Any]] = {
    "logistic": _logistic,
    "mlp": _mlp,
    "rbf-svm": _rbf_svm,
    "knn": _knn,
    "boosted-trees": _boosted_trees,
}
DEFAULT = ("logistic", "mlp", "rbf-svm")
VIEWS = ("standardised", "whitened")
MIN_VARIANCE = 1e-9
"""Whitening drops directions below this share of the largest variance: they hold rounding noise only."""
ROWS_PER_DIRECTION = 4
"""Whitening keeps at most one direction for this many rows, or noise is all it blows up."""


def attacker(name: str, seed: int) -> Any:
    """Make an untrained attacker.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in ATTACKERS:
        raise UnknownNameError("attacker", name, ATTACKERS)
    return ATTACKERS[name](seed)


def view(name: str, z: Matrix) -> Any:
    """Fit a view of the features on the attackers' training rows z, (n, d): a transformer."""
    scaler = StandardScaler().fit(z)
    if name == "standardised":
        return scaler
    scaled = scaler.transform(z)
    variances = np.linalg.svd(scaled, compute_uv=False) ** 2  # descending
    rank = int((variances > MIN_VARIANCE * variances[0]).sum())
    directions = max(1, min(rank, len(z) // ROWS_PER_DIRECTION))
    return make_pipeline(scaler, PCA(directions, whiten=True, svd_solver="full").fit(scaled))
