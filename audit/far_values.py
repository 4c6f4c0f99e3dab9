"""Values so far out that they hide all others of their feature, drawn in: none is cut off, and their order stays.

One broken row of 1e12 makes the deviation of its feature so large that all other rows become one number, and a linear
attacker obeys that row alone. Beyond a few spreads a value goes on by the logarithm of its logarithm, so that what lies
in the magnitude itself can still be read. Features without such a value are left as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.bootstrap import Doubles
from audit.data.on_disk import AT_ONCE, blocks, in_memory

FAR = 100.0
"""Spreads from the median beyond which a value is far, and its feature drawn in."""
NEAR = 5.0
"""Spreads from the median up to which a value of such a feature stays as it is."""
LOOKED_AT = 2_500_000
"""Numbers, rows times features, by which medians are measured."""
Matrix = NDArray[Any]
"""Features of some rows, (n, d)."""


@dataclass(frozen=True)
class DrawnIn:
    """Draws far values in, as a scikit-learn transformer would."""

    middle: Doubles
    """Median of each feature, (d,)."""
    spread: Doubles
    """How far usual values lie from it, (d,); infinite of a feature that is constant."""
    drawn: NDArray[np.bool_]
    """Whether a feature has a far value, (d,)."""

    def transform(self, z: Matrix, /) -> Matrix:
        """Return features, (n, d), of features, (n, d)."""
        made = np.array(z, dtype=np.float64)
        away = (made[:, self.drawn] - self.middle[self.drawn]) / self.spread[self.drawn]
        size = np.abs(away)
        beyond = NEAR + np.log1p(np.log(np.maximum(size, NEAR) / NEAR))
        made[:, self.drawn] = np.where(size > NEAR, np.sign(away) * beyond, away)
        return made


def far_values(parts: Sequence[Matrix]) -> DrawnIn | None:
    """Return what draws in the far values of some rows, (n, d) each; None where they hold none.

    What is usual, the first part tells.
    """
    middle, spread = _spread(parts[0])
    drawn = np.zeros(len(middle), dtype=bool)
    for far in _far(parts, middle, spread):
        drawn |= far.any(axis=0)
    return DrawnIn(middle, spread, drawn) if drawn.any() else None


def drawn_in(z: Matrix) -> Matrix:
    """Return features, (n, d), with their own far values drawn in; as they are if there are none."""
    found = far_values([z])
    return z if found is None else found.transform(z).astype(z.dtype)


def rows_with_far_values(z: Matrix) -> int:
    """Return how many rows hold a far value."""
    return sum(int(far.any(axis=1).sum()) for far in _far([z], *_spread(z)))


def _far(parts: Sequence[Matrix], middle: Doubles, spread: Doubles) -> Iterator[NDArray[np.bool_]]:
    low, high = middle - FAR * spread, middle + FAR * spread
    for part in parts:
        for block in blocks(part, AT_ONCE):
            yield (block < low) | (block > high)


def _spread(z: Matrix) -> tuple[Doubles, Doubles]:
    """Return the median of each feature, (d,), and how far from it usual values lie, (d,): infinite if it is constant.

    That is half of the range of the inner 80 %, or, if it is more, the median distance of the rows that are not on the
    median at all: those of a unit that nine rows in ten leave at zero.
    """
    most = max(1, LOOKED_AT // z.shape[1])
    rows = np.arange(len(z)) if len(z) <= most else np.linspace(0, len(z) - 1, most).astype(np.int64)
    seen = in_memory(z, rows).astype(np.float64)
    low, middle, high = np.quantile(seen, [0.1, 0.5, 0.9], axis=0)
    away = np.sort(np.abs(seen - middle), axis=0)
    first = (away == 0).sum(axis=0)  # the first that is not on the median
    of_others = away[np.minimum((first + len(away)) // 2, len(away) - 1), np.arange(away.shape[1])]
    spread = np.maximum((high - low) / 2, of_others)
    return middle, np.where(spread > 0, spread, np.inf)
