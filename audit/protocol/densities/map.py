"""A map of the test rows in two directions of the features, by class, in cells.

The first is the direction of a linear reading in closed form: between the classes' means on whitened features, which
is Fisher's discriminant; of more than two classes, along which the means lie furthest apart. The second is the largest
principal direction of the standardised features with that reading taken out of them. Nothing is fitted to test rows.
"""

import numpy as np
import scipy.linalg
from sklearn.pipeline import Pipeline

from audit.attackers.attack import Attack
from audit.attackers.learner import AT_ONCE, Matrix
from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.data.on_disk import blocks
from audit.evidence.densities import SIDES, MapDensity
from audit.protocol.densities.disclosure import cells

LEADING = 256
"""Principal components among which the second direction is looked for."""
CENTRAL = 0.99
"""The share of the rows that fit which lies within the map's range, along each direction."""
ROUNDING = 1e-6
"""Two classes whose distances differ by less, as a share, stand out as much."""
FLAT = 1e-6
"""A range below this is none: the features have one direction, and all rows lie in the middle of the other."""


def map_densities(found: Attack, v: tuple[Ints, Ints], people: Ints, names: list[str]) -> list[MapDensity]:
    """Return the cells of each class; none where the features hold one vector alone.

    Args:
        found: The attack, whose whitened features of the rows that fit, (n, d), and test, (t, d), are taken.
        v: Classes of the rows that fit, (n,), and of the test rows, (t,).
        people: Whose each test row is, (t,).
        names: Of the classes, (k,).
    """
    whitening, (fit, _, test) = found.seen["whitened"]
    if not isinstance(whitening, Pipeline):
        return []  # there was nothing to whiten
    variances = np.asarray(whitening[-1].explained_variance_)
    axes = directions(_means(fit, v[0], len(names)), variances)
    low, high = np.quantile(_along(fit, axes), [(1 - CENTRAL) / 2, (1 + CENTRAL) / 2], axis=0)
    half = np.where(high - low > FLAT, (high - low) / 2, 1)
    place = (_along(test, axes) - (low + high) / 2) / half  # within −1 and 1, but for rows beyond the range
    column, height = np.clip((place + 1) / 2 * SIDES[0], 0, SIDES[0] - 1).astype(np.int64).T
    places, shown = np.stack([SIDES[0] - 1 - height, column], axis=1), []
    for c, name in enumerate(names):
        own = v[1] == c
        if told := cells(places[own], people[own]):
            total, shared = int(own.sum()), sum(told.rows)
            shares = [round(rows / shared, 2) for rows in told.rows]
            withheld = round(told.withheld / total, 2)
            shown.append(MapDensity(name=name, cells=told.numbers, shares=shares, withheld=withheld))
    return shown


def directions(means: Doubles, variances: Doubles) -> Doubles:
    """Return two directions of whitened features, (m, 2), uncorrelated with each other.

    Args:
        means: Of each class, whitened, (k, m).
        variances: Of the principal components of the standardised features that whitening scaled, (m,), descending.
    """
    apart = means - means.mean(axis=0)
    first = np.linalg.svd(apart, full_matrices=False)[2][0]
    along = apart @ first
    furthest = np.flatnonzero(np.abs(along) >= (1 - ROUNDING) * np.abs(along).max())[-1]
    first *= np.sign(along[furthest]) or 1.0  # the class that stands out most lies at the right, of two the second
    spread = np.sqrt(variances[:LEADING])
    shared = spread * first[:LEADING]  # covariances of the components with the reading
    last = len(spread) - 1
    rest = np.diag(spread**2) - np.outer(shared, shared)
    top = scipy.linalg.eigh(rest, subset_by_index=[last, last])[1][:, 0]
    top *= np.sign(top[np.abs(top).argmax()])
    second = -(top @ shared) * first
    second[:LEADING] += top * spread
    return np.stack([first, second], axis=1)


def _means(z: Matrix, v: Ints, k: int) -> Doubles:
    """Return the mean of each class, (k, m)."""
    total, start = np.zeros((k, z.shape[1])), 0
    for block in blocks(z, AT_ONCE):
        total += np.eye(k)[v[start : start + len(block)]].T @ block
        start += len(block)
    return np.asarray(total / np.bincount(v, minlength=k)[:, None])


def _along(z: Matrix, axes: Doubles) -> Doubles:
    """Return the place of each row along two directions, (n, 2)."""
    return np.concatenate([block @ axes for block in blocks(z, AT_ONCE)])
