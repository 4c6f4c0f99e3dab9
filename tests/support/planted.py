"""Features and labels with a leak planted in them, and the options of a quick run."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import Column, Ints
from audit.settings import Settings

if TYPE_CHECKING:
    pass
ROWS = "--arch small-convnet --data digits --task digit --private colour"
QUICK = "--attackers logistic --limit-rows 1500"

FEW = Settings(attackers=("logistic", "knn"), bootstrap=100, null_refits=2, ceiling=False)
"""As quick as a measurement can be."""


def noise(n: int, d: int = 6, seed: int = 0) -> NDArray[np.float64]:
    """Return features, (n, d), that know nothing."""
    return np.random.default_rng(seed).normal(size=(n, d))


def labels(n: int, k: int = 2, seed: int = 1, share: float | None = None) -> Ints:
    """Draw classes, (n,); `share` is that of class 1."""
    p = None if share is None else [1 - share, share]
    return np.random.default_rng(seed).choice(k, size=n, p=p).astype(np.int64)


def classes(codes: Ints) -> Column:
    """Name the classes after their codes."""
    return Column(codes, tuple(f"class {c}" for c in range(int(codes.max()) + 1)))
