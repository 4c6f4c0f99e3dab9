"""Features and labels with a leak planted in them, and the options of a quick run."""

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import AnyColumn, Column, Ints
from audit.evidence.findings import Finding
from audit.evidence.verdict import judge
from audit.protocol.baselines import Baselines
from audit.protocol.leakage import measure
from audit.protocol.splits import split_rows
from audit.protocol.target import make_target
from audit.settings import Settings

ROWS = "--arch small-convnet --data digits --task digit --private colour"
QUICK = "--attackers logistic --limit-rows 1500"

FEW = Settings(attackers=("logistic", "products"), bootstrap=100, null_refits=2, ceiling=False)
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


def measured(
    z: NDArray[np.float64],
    column: AnyColumn,
    *,
    attribute: str = "v",
    groups: Ints | None = None,
    baselines: Baselines | None = None,
    settings: Settings = FEW,
) -> Finding:
    """Attack one attribute, classes or a quantity, in features (n, d), and judge what was read."""
    splits = split_rows(np.arange(len(z)) if groups is None else groups, [column], seed=0)
    found = measure(z, make_target(attribute, column, splits, settings, baselines), settings, layer="fc:input")
    return Finding(
        role="private",
        attribute=attribute,
        layer="fc:input",
        measurement=found.measurement,
        decision=judge(found.measurement, settings.limit),
    )
