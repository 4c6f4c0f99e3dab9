"""A teacher that reads the untouched model: the best of an audit's attackers, on its features or on rows of numbers.

Which attacker it is, and whether it sees the features or the input itself where that is a row of numbers, is chosen
by cross-validation over whole groups of the rows that fit it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold

from audit.attackers.families import family
from audit.attackers.preprocessing import preprocessing
from audit.data.columns import Ints
from audit.far_values import far_values

ATTACKERS = (
    ("logistic", "standardised"),
    ("products", "standardised"),
    ("products", "whitened"),
    ("rbf-svm", "standardised"),
    ("rbf-svm", "whitened"),
    ("boosted-trees", "standardised"),
)
"""Families, each in its first setting, and how features are preprocessed for it."""
Attacker = tuple[str, str]
FOLDS = 3
Features = Mapping[str, NDArray[np.float32]]
"""What a reader may see of some rows, (n, d), by its name."""


def read(fit: Features, v: Ints, groups: Ints, asked: Sequence[Features], seed: int) -> tuple[str, list[Ints]]:
    """Return which reader is the best, in words, and the classes that it gives other rows, (m,) each.

    Args:
        fit: Of the rows that it learns from, (n, d) each.
        v: Their classes, (n,).
        groups: Their groups, (n,), never in two folds.
        asked: Of the others, by the same names.
        seed: Of attackers that draw.
    """
    folds = _folds(v, groups)
    best, chosen, source = -1.0, ATTACKERS[0], next(iter(fit))
    for sees, z in fit.items() if folds else ():
        for attacker in ATTACKERS:
            found = np.empty_like(v)
            for learned, rest in folds:
                found[rest] = _answers(z[learned], v[learned], [z[rest]], attacker, seed)[0]
            if (right := float(balanced_accuracy_score(v, found))) > best:
                best, chosen, source = right, attacker, sees
    return f"{chosen[0]} on {source}", _answers(fit[source], v, [one[source] for one in asked], chosen, seed)


def _answers(
    z: NDArray[np.float32], v: Ints, asked: Sequence[NDArray[np.float32]], attacker: Attacker, seed: int
) -> list[Ints]:
    """Return the classes that an attacker, fitted to some rows, gives others."""
    (name, view), (present, codes) = attacker, np.unique(v, return_inverse=True)
    seen = preprocessing(view, z, far_values([z, *asked]))
    rows, *others = (np.asarray(seen.transform(one), dtype=np.float32) for one in (z, *asked))
    learner = family(name).classifiers(seed)[0](rows.shape[1]).fit(rows, codes.astype(np.int64))
    return [present[learner.scores(one).argmax(axis=1)] for one in others]


def _folds(v: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """Return folds of whole groups, each fitted on two classes or more; none where that cannot be."""
    if len(np.unique(groups)) < FOLDS:
        return []
    folds = list(GroupKFold(FOLDS).split(v, v, groups))
    return folds if all(len(np.unique(v[fit])) > 1 for fit, _ in folds) else []
