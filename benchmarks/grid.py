"""What a careful person would try without irene: five classifiers of scikit-learn, each tuned by three folds."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from subjects import Subject

from audit.data.columns import Ints

FOLDS = 3


@dataclass(frozen=True)
class Side:
    """What one side read from the test rows."""

    name: str
    """Of the classifier or attacker."""
    right: NDArray[np.bool_]
    """Whether it named the class of each test row, (m,)."""


def grids(d: int, seed: int) -> dict[str, tuple[Any, dict[str, list[Any]]]]:
    """Return the classifiers with what is tried of each; d is the number of features."""
    return {
        "logistic": (LogisticRegression(max_iter=2000, class_weight="balanced"), {"C": [0.01, 0.1, 1, 10]}),
        "mlp": (MLPClassifier(random_state=seed), {"hidden_layer_sizes": [(64,), (256,)], "alpha": [1e-4, 1e-2]}),
        "svc": (SVC(class_weight="balanced"), {"C": [1, 10, 100], "gamma": [1 / d, 1 / (4 * d)]}),
        "boosted-trees": (
            HistGradientBoostingClassifier(class_weight="balanced", random_state=seed),
            {"learning_rate": [0.05, 0.1], "max_iter": [100, 300]},
        ),
        "knn": (KNeighborsClassifier(), {"n_neighbors": [5, 15, 50], "weights": ["uniform", "distance"]}),
    }


def search(given: Subject, rows: Ints, test: Ints, *, seed: int, quick: bool) -> tuple[Side, Side]:
    """Tune every classifier on `rows`; return the one that its folds choose, and the one that is best on `test`.

    Args:
        given: Features and labels.
        rows: What they learn from, (n,).
        test: What they are asked, (m,).
        seed: Of the folds and the classifiers.
        quick: Try one setting of each alone.
    """
    alone = len(np.unique(given.group)) == len(given.group)
    folds = (StratifiedKFold if alone else StratifiedGroupKFold)(FOLDS, shuffle=True, random_state=seed)
    sides, score = [], {}
    for name, (estimator, tried) in grids(given.z.shape[1], seed).items():
        tuned = GridSearchCV(
            Pipeline([("scale", StandardScaler()), ("classifier", estimator)]),
            {f"classifier__{option}": values[:1] if quick else values for option, values in tried.items()},
            scoring="balanced_accuracy",
            cv=folds,
            n_jobs=-1,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tuned.fit(given.z[rows], given.v[rows], groups=None if alone else given.group[rows])
        sides.append(Side(name, tuned.predict(given.z[test]) == given.v[test]))
        score[name] = tuned.best_score_
    chosen = max(sides, key=lambda side: score[side.name])
    return chosen, max(sides, key=lambda side: balanced(side.right, given.v[test]))


def untuned(given: Subject, rows: Ints, test: Ints, *, seed: int) -> Side:
    """Fit a perceptron and boosted trees as they come on all `rows`; return the one that is better on `test`.

    Their probabilities are divided by the classes' frequencies, or they would hardly ever name a rare class.
    """
    prior = np.bincount(given.v[rows]) / len(rows)
    found = []
    for name, estimator in (
        ("mlp", MLPClassifier(random_state=seed)),
        ("boosted-trees", HistGradientBoostingClassifier(random_state=seed)),
    ):
        alone = Pipeline([("scale", StandardScaler()), ("classifier", estimator)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            alone.fit(given.z[rows], given.v[rows])
        named = (alone.predict_proba(given.z[test]) / prior).argmax(axis=1)
        found.append(Side(name, named == given.v[test]))
    return max(found, key=lambda side: balanced(side.right, given.v[test]))


def balanced(right: NDArray[np.bool_], truth: Ints) -> float:
    """Return the mean over classes of the share of rows named right, from (m,) and (m,)."""
    return float(np.mean([right[truth == code].mean() for code in np.unique(truth)]))
