"""Preprocessing of representations for attackers: standardised, and PCA-whitened."""

from typing import Protocol, cast

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from audit.attackers.learner import Matrix
from audit.data.on_disk import in_memory
from audit.far_values import DrawnIn

VIEWS = ("standardised", "whitened")
"""How features are preprocessed for every attacker."""
MIN_VARIANCE = 1e-9
"""Whitening drops directions below this share of the largest variance: they hold rounding noise only."""
ROWS_PER_DIRECTION = 4
"""Whitening keeps at most one direction for this many rows, or noise is all it blows up."""


class Preprocessing(Protocol):
    """A fitted scikit-learn transformer."""

    def transform(self, z: Matrix, /) -> Matrix:
        """Return features, (n, m), of features, (n, d)."""


LEARNED = 25_000_000
"""Numbers, rows times features, that a preprocessing learns from at most."""


def preprocessing(name: str, z: Matrix, drawn: DrawnIn | None = None) -> Preprocessing:
    """Fit one of VIEWS on the attackers' training rows z, (n, d), or on as many of them as LEARNED allows.

    Args:
        name: Of the view.
        z: The rows.
        drawn: Draws their far values in, before anything else is done.
    """
    most = max(1, LEARNED // z.shape[1])
    z = in_memory(z, np.arange(len(z)) if len(z) <= most else np.linspace(0, len(z) - 1, most).astype(np.int64))
    before = [] if drawn is None else [FunctionTransformer(drawn.transform)]
    scaler = make_pipeline(*before, StandardScaler()).fit(z)
    if name == "standardised":
        return cast(Preprocessing, scaler)
    scaled = scaler.transform(z).astype(np.float64)
    if not scaled.any():
        return cast(Preprocessing, scaler[-1])  # one vector for all rows: there is no direction to whiten
    solver = "covariance_eigh" if len(scaled) > 2 * scaled.shape[1] else "full"
    variances = PCA(svd_solver=solver).fit(scaled).explained_variance_  # descending
    rank = int((variances > MIN_VARIANCE * variances[0]).sum())
    directions = max(1, min(rank, len(z) // ROWS_PER_DIRECTION))
    whitening: Preprocessing = make_pipeline(scaler, PCA(directions, whiten=True, svd_solver=solver).fit(scaled))
    return whitening
