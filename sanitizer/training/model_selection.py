"""Model selection: each epoch is audited by quick fresh attackers on held-out rows, and the best one is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from audit.attackers.families import family
from audit.attackers.preprocessing import preprocessing
from audit.bootstrap import effective_rows
from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from sanitizer.methods.base import Rows

ATTACKERS = ("logistic", "rbf-svm")
"""Fast, and one of them is not linear."""
FOLDS = 3
MOST = 1500
"""Held-out rows that the quick attackers see at most."""


@dataclass(frozen=True)
class HeldOutMetrics:
    """A model on held-out rows."""

    task: float
    """Balanced accuracy of the task."""
    fresh: Mapping[str, float]
    """Per attribute: balanced accuracy of the strongest quick attacker."""
    rows: Mapping[str, float]
    """Effective rows of each balanced accuracy, as if all classes were equal; the task's under the name ""."""
    retained: Mapping[str, float] = field(default_factory=dict)
    """Per retained attribute: AUROC of a linear attacker."""

    def better_than(self, other: "HeldOutMetrics") -> bool:
        """Return whether the task is better, or as good with less leakage or more retained, beyond their noise."""
        task = self.task - other.task
        if abs(task) > self._noise("", other.task):
            return task > 0
        names = [name for name in self.fresh if name in other.fresh]
        less = {name: other.fresh[name] - self.fresh[name] for name in names}
        gain = sum(one for name, one in less.items() if abs(one) > self._noise(name, other.fresh[name]))
        return gain + self._more_retained(other) > 0

    def _more_retained(self, other: "HeldOutMetrics") -> float:
        """Return by how much the mean AUROC of the retained attributes is larger, 0 within its noise."""
        names = [name for name in self.retained if name in other.retained]
        if not names:
            return 0.0
        more = float(np.mean([self.retained[name] - other.retained[name] for name in names]))
        noise = np.sqrt(sum(1 / (3 * self.rows[name]) for name in names)) / len(names)  # of areas near one half
        return more if abs(more) > noise else 0.0

    def _noise(self, name: str, recall: float) -> float:
        return float(np.sqrt(max(recall * (1 - recall), 1e-4) / self.rows[name]))


def check(
    seen: Rows,
    data: LabelledData,
    private: Sequence[str],
    keep: Sequence[str] = (),
    *,
    seed: int,
    effective_share: float = 1.0,
) -> HeldOutMetrics:
    """Measure the task and each attribute on held-out rows, worth so many independent ones as a share of them."""
    y = seen.y.cpu().numpy()
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST]
    z, groups = seen.z.cpu().numpy()[rows], data.groups()[rows]
    labels = {name: seen.v[name].cpu().numpy()[rows] for name in (*private, *keep)}
    counts = {name: np.unique(v, return_counts=True)[1] for name, v in {"": y, **labels}.items()}
    return HeldOutMetrics(
        task=_balanced_accuracy(y, seen.scores.argmax(dim=1).cpu().numpy()),
        fresh={name: _fresh(z, labels[name], groups, seed) for name in private},
        rows={name: effective_share * effective_rows(of_class) for name, of_class in counts.items()},
        retained={name: area for name in keep if (area := _area(z, labels[name], groups, seed)) is not None},
    )


def head_accuracy(scores: Tensor | None, v: Tensor) -> float | None:
    """Return the balanced accuracy of a method's training adversary, or None where it has none."""
    return None if scores is None else _balanced_accuracy(v.cpu().numpy(), scores.argmax(dim=1).cpu().numpy())


def _fresh(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float:
    """Return the balanced accuracy of the strongest quick attacker, by cross-validation over whole groups."""
    folds = _folds(v, groups)
    if not folds:
        return 1 / max(1, len(np.unique(v)))
    white = preprocessing("whitened", z).transform(z)
    attackers = [family(name).classifiers(seed)[0](white.shape[1]).estimator for name in ATTACKERS]
    return max(_balanced_accuracy(v, cross_val_predict(one, white, v, cv=folds)) for one in attackers)


def _area(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float | None:
    """Return a linear attacker's AUROC, mean over classes against the rest; None if there are too few rows."""
    folds = _folds(v, groups)
    if not folds:
        return None
    white = preprocessing("whitened", z).transform(z)
    attacker = family("logistic").classifiers(seed)[0](white.shape[1]).estimator
    shares = cross_val_predict(attacker, white, v, cv=folds, method="predict_proba")
    return float(roc_auc_score(v[:, None] == np.unique(v), shares, average="macro"))


def _folds(v: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """Return folds of whole groups, each fitted on all classes; none where that cannot be."""
    classes = len(np.unique(v))
    if classes < 2 or len(np.unique(groups)) < FOLDS:
        return []
    folds = list(GroupKFold(FOLDS).split(v, v, groups))
    return folds if all(len(np.unique(v[fit])) == classes for fit, _ in folds) else []


def _balanced_accuracy(labels: Ints, predicted: Ints) -> float:
    """Return the mean recall over the classes that occur in `labels`."""
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro"))
