"""Quick attackers of a wide layer: kernel ridge regression on the standardised features, solved exactly.

A whitened view keeps one direction for a few rows, and what a layer of thousands of features tells may lie in none of
them. These see all features, by the products of rows alone, so their cost does not grow with the width.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import StandardScaler

from audit.data.columns import Ints
from audit.far_values import drawn_in

Doubles = NDArray[np.float64]
Folds = Sequence[tuple[Ints, Ints]]
"""Rows that fit, and rows that are asked."""

WIDE = 512
"""Features from which on these attackers take part."""
MOST = 3000
"""Rows that they see at most: they cost their cube."""
LINEAR = (0.01, 0.1, 1.0)
"""Ridge penalties of the linear kernel, of features that vary by 1 / width."""
SMOOTH = (0.01, 1.0)
"""Those of the RBF kernel."""
WIDTH = 0.1
"""The RBF kernel's gamma, times the width."""


def scores(z: NDArray[np.floating], v: Ints, folds: Folds) -> Iterator[Doubles]:
    """Yield each attacker's scores of the classes for every row, (n, k), cross-validated over the folds.

    Args:
        z: Features, (n, d).
        v: Classes, (n,), each of 0 … k − 1 in the rows that fit every fold.
        folds: Together they ask every row once.
    """
    scaled = StandardScaler().fit_transform(drawn_in(z)).astype(np.float64)
    products = scaled @ scaled.T / z.shape[1]  # (n, n)
    sizes = np.diag(products)
    smooth = np.exp(-WIDTH * (sizes[:, None] + sizes - 2 * products))
    for kernel, penalties in ((products + 1, LINEAR), (smooth, SMOOTH)):
        yield from (_crossed(kernel, v, folds, penalty) for penalty in penalties)


def _crossed(kernel: Doubles, v: Ints, folds: Folds, penalty: float) -> Doubles:
    """Return the scores of a ridge regression of the classes, all of them weighing the same."""
    wanted = 2 * np.eye(int(v.max()) + 1)[v] - 1  # (n, k)
    found = np.empty_like(wanted)
    for fit, asked in folds:
        weight = 1 / np.bincount(v[fit])[v[fit]]
        ridge = KernelRidge(alpha=penalty, kernel="precomputed")
        ridge.fit(kernel[np.ix_(fit, fit)], wanted[fit], sample_weight=weight / weight.mean())
        found[asked] = ridge.predict(kernel[np.ix_(asked, fit)])
    return found
