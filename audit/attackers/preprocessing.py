"""Preprocessing of representations for attackers: standardised, and PCA-whitened."""

from collections.abc import Iterable
from typing import Protocol, cast

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from audit.attackers.learner import Matrix
from audit.bootstrap import Doubles
from audit.data.on_disk import HELD, blocks
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


def preprocessing(name: str, z: Matrix, drawn: DrawnIn | None = None) -> Preprocessing:
    """Fit one of VIEWS on the attackers' training rows z, (n, d), all of them; of many, a block at a time is in memory.

    Args:
        name: Of the view.
        z: The rows.
        drawn: Draws their far values in, before anything else is done.
    """
    at_once = max(1, HELD // z.shape[1])
    fitted = StandardScaler()
    for block in blocks(z, at_once):
        fitted.partial_fit(block if drawn is None else drawn.transform(block))
    scaler = make_pipeline(*([] if drawn is None else [FunctionTransformer(drawn.transform)]), fitted)
    if name == "standardised":
        return cast(Preprocessing, scaler)
    scaled = (scaler.transform(block).astype(np.float64) for block in blocks(z, at_once))
    seen = next(scaled) if len(z) <= at_once else _with_the_covariance_of(scaled, len(z))
    if not seen.any():
        return cast(Preprocessing, fitted)  # one vector for all rows: there is no direction to whiten
    solver = "covariance_eigh" if len(z) > 2 * z.shape[1] else "full"
    variances = PCA(svd_solver=solver).fit(seen).explained_variance_  # descending
    rank = int((variances > MIN_VARIANCE * variances[0]).sum())
    directions = max(1, min(rank, len(z) // ROWS_PER_DIRECTION))
    whitening: Preprocessing = make_pipeline(scaler, PCA(directions, whiten=True, svd_solver=solver).fit(seen))
    return whitening


def _with_the_covariance_of(scaled: Iterable[Doubles], count: int) -> Doubles:
    """Return few rows, (2d, d), whose mean is 0 as that of standardised rows, and whose covariance is theirs."""
    products = sum(block.T @ block for block in scaled)
    variances, axes = np.linalg.eigh(products / (count - 1))
    along = np.sqrt(np.maximum(variances, 0) * (2 * len(axes) - 1) / 2)[:, None] * axes.T
    return np.concatenate([along, -along])
