"""How many dimensions a release may have: by the law of rows, and by what quick attackers read of rows held out."""

from collections.abc import Sequence

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.far_values import drawn_in

EXCESS_PER_ROOT = 0.4
"""Balanced accuracy above a guess that is left per √(dimensions ÷ rows) of two classes that differ in their means, to
who has unlimited rows, after the best linear erasure that so many rows determine."""
FOLDS = 3
FEW_EACH = 2
"""Rows of a person, on average, up to which each row counts."""


def dimensions(rows: float, excess: float) -> int:
    """Return how many dimensions so many rows can clean until an attacker reads so much above the floor, at least 1.

    Rows count as if the two classes that are told apart had equally many (`balanced_rows`); the excess is of balanced
    accuracy. What is not linear costs more rows.
    """
    return max(1, int(rows * (excess / EXCESS_PER_ROOT) ** 2 + 1e-6))


def balanced_rows(v: Ints, worth: Doubles | None = None) -> float:
    """Return the rows of two classes of equal size that tell the rarest class from the rest as well as these do.

    A row counts as much as it is worth, (n,): less than 1 where a teacher labelled it, or where others are of the same
    person (`shares`).
    """
    counts = np.bincount(v, worth)
    counts = counts[counts > 0]
    return float((4 * counts * (counts.sum() - counts) / counts.sum()).min())


def units(groups: Ints) -> Ints:
    """Return whose each row is, (n,), where people have more than two rows on average; else each row is its own.

    The law of rows was measured on rows of their own, and on faces of people with one or two images.
    """
    return groups if len(groups) > FEW_EACH * len(np.unique(groups)) else np.arange(len(groups))


def shares(v: Ints, groups: Ints) -> Doubles:
    """Return what each row counts, (n,): those of a group that has one class count as one row together.

    More rows of one person say no more of what tells people apart. In a group of several classes, such as a hospital,
    each row counts.
    """
    groups = units(groups)
    _, first, group, rows = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    is_mixed = np.bincount(group, v != v[first][group]) > 0
    return np.where(is_mixed[group], 1.0, 1 / rows[group])


def left(z: Doubles, told: Ints, v: Ints, groups: Ints) -> float:
    """Return how much more of v quick attackers read of features (n, d) than of the predicted class, (n,); at least 0.

    It is a difference of balanced accuracies, by cross-validation over whole groups, (n,). The attackers of an audit
    are more, and fitted on more rows.
    """
    groups = units(groups)
    alone = len(np.unique(groups)) == len(groups)
    pairs = np.unique(np.stack([v, groups]), axis=1)
    enough = np.bincount(pairs[0])[v] >= FOLDS
    z, told, v, groups = z[enough], told[enough], v[enough], groups[enough]
    if len(np.unique(v)) < 2:
        return 0.0
    z = drawn_in(z)
    splitter = StratifiedKFold(FOLDS) if alone else StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    folds = list(splitter.split(z, v, None if alone else groups))
    floor = _read(_of_class(), told[:, None], v, folds)
    return max(0.0, max(_read(attacker, z, v, folds) for attacker in _quick_attackers()) - floor)


def _quick_attackers() -> list[ClassifierMixin]:
    return [
        make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
        make_pipeline(PCA(whiten=True), SVC(class_weight="balanced")),
        make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
        HistGradientBoostingClassifier(max_iter=50, class_weight="balanced"),
    ]


def _of_class() -> ClassifierMixin:
    """Return the attacker that sees the predicted class alone."""
    return make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(class_weight="balanced"))


def _read(attacker: ClassifierMixin, z: Doubles | Ints, v: Ints, folds: Sequence[tuple[Ints, Ints]]) -> float:
    """Return the balanced accuracy of an attacker on features (n, d), by cross-validation."""
    return float(balanced_accuracy_score(v, cross_val_predict(attacker, z, v, cv=folds)))
