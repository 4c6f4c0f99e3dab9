"""Preprocessing of representations for attackers: standardised, and PCA-whitened."""

from typing import Protocol

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audit.attackers.families import Matrix

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
