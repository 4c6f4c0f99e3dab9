"""Model selection: each epoch is audited by quick fresh attackers on held-out rows, and the best one is chosen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score, recall_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from audit.attackers.families import family
from audit.attackers.preprocessing import preprocessing
from audit.bootstrap import effective_rows
from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.evidence.verdict import LIMIT
from audit.far_values import drawn_in
from sanitizer.methods.base import Rows
from sanitizer.training import wide_attackers

ATTACKERS = ("logistic", "rbf-svm")
"""Fast; the first is linear, and the other is not."""
FOLDS, FOLDS_WIDE = 3, 5
"""A wide layer's attackers read more with every row that fits them."""
SAME = 0.002
"""Differences of what is kept, below which two epochs are as good."""
MOST = 1500
"""Held-out rows that the quick attackers see at most; those of a wide layer see more (wide_attackers)."""


@dataclass(frozen=True)
class HeldOutMetrics:
    """A model on held-out rows."""

    task: float
    """Balanced accuracy of the task, or R² of a quantity."""
    fresh: Mapping[str, float]
    """Per attribute: balanced accuracy of the strongest quick attacker."""
    rows: Mapping[str, float]
    """Effective rows of each balanced accuracy, as if all classes were equal; the task's under the name ""."""
    retained: Mapping[str, float] = field(default_factory=dict)
    """Per retained attribute: AUROC of a linear attacker."""
    kept: float | None = None
    """Without a task: what is left of the geometry, or of identities (sanitizer.training.geometry)."""
    guess: Mapping[str, float] = field(default_factory=dict)
    """Per attribute: balanced accuracy of a guess."""
    loss: float = 0.0
    """Of the task, as training has it; without a task, less where more of the geometry is left."""

    def better_than(self, other: "HeldOutMetrics") -> bool:
        """Return whether the task is better, or as good with less leakage or more retained, beyond their noise."""
        if self.kept is not None and other.kept is not None:
            return self._keeps_more(other, self.kept - other.kept)
        task = self.task - other.task
        if abs(task) > self._noise("", other.task):
            return task > 0
        names = [name for name in self.fresh if name in other.fresh]
        less = {name: other.fresh[name] - self.fresh[name] for name in names}
        gain = sum(one for name, one in less.items() if abs(one) > self._noise(name, other.fresh[name]))
        return gain + self._more_retained(other) > 0

    def _keeps_more(self, other: "HeldOutMetrics", more: float) -> bool:
        """Return whether leakage is within the tolerance and was not, or else less; where both are, if more is kept."""
        mine, theirs = self._beyond(), other._beyond()
        noise = max(self._noise(name, recall) for name, recall in other.fresh.items())
        if abs(mine - theirs) > noise or (mine == 0) != (theirs == 0):
            return mine < theirs
        return more + self._more_retained(other) > SAME

    def _beyond(self) -> float:
        """Return by how much the worst leakage exceeds the default tolerance, 0 within."""
        return max(0.0, *(read - self.guess[name] - LIMIT for name, read in self.fresh.items()))

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
    rows = np.random.default_rng(seed).permutation(len(y))[: wide_attackers.MOST if is_wide(seen.z) else MOST]
    z, groups = seen.z.cpu().numpy()[rows], data.groups()[rows]
    labels = {name: seen.v[name].cpu().numpy()[rows] for name in (*private, *keep)}
    counts = {name: np.unique(v, return_counts=True)[1] for name, v in {"": y, **labels}.items()}
    return HeldOutMetrics(
        task=_task(seen, y),
        fresh={name: _fresh(z, labels[name], groups, seed) for name in private},
        rows={name: effective_share * effective_rows(of_class) for name, of_class in counts.items()},
        guess={name: 1 / max(1, len(counts[name])) for name in private},
        retained={name: area for name in keep if (area := _area(z, labels[name], groups, seed)) is not None},
    )


def _task(seen: Rows, y: Ints) -> float:
    """Return the balanced accuracy of the task, of labels (n,), or the R² of a quantity."""
    if seen.wanted is None:
        return _balanced_accuracy(y, seen.scores.argmax(dim=1).cpu().numpy())
    return float(r2_score(seen.wanted.cpu().numpy(), seen.scores[:, 0].cpu().numpy()))


def is_wide(z: Tensor | NDArray[np.float32]) -> bool:
    """Return whether features, (n, d), are too many for a whitened view of few rows to tell what they do."""
    return z.shape[1] > wide_attackers.WIDE


def head_accuracy(scores: Tensor | None, v: Tensor) -> float | None:
    """Return the balanced accuracy of a method's training adversary, or None where it has none."""
    return None if scores is None else _balanced_accuracy(v.cpu().numpy(), scores.argmax(dim=1).cpu().numpy())


def _fresh(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float:
    """Return the balanced accuracy of the strongest quick attacker, by cross-validation over whole groups."""
    answers = _whitened(ATTACKERS, z, v, groups, seed, method="predict")
    read = [_balanced_accuracy(v[:MOST], predicted) for predicted in answers]
    read += [_balanced_accuracy(v, np.unique(v)[each.argmax(axis=1)]) for each in _wide_scores(z, v, groups)]
    return max(read, default=1 / max(1, len(np.unique(v))))


def _area(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float | None:
    """Return a linear attacker's AUROC, mean over classes against the rest; None if there are too few rows."""
    tried = [(v[:MOST], shares) for shares in _whitened(ATTACKERS[:1], z, v, groups, seed, method="predict_proba")]
    tried += [(v, each) for each in _wide_scores(z, v, groups)]
    areas = [roc_auc_score(own[:, None] == np.unique(own), each, average="macro") for own, each in tried]
    return max(map(float, areas), default=None)


def _whitened(
    attackers: Sequence[str], z: NDArray[np.float32], v: Ints, groups: Ints, seed: int, *, method: str
) -> list[NDArray[Any]]:
    """Return what each attacker answers on whitened features of the first MOST rows; nothing if they are too few."""
    folds = _folds(v[:MOST], groups[:MOST], FOLDS)
    if not folds:
        return []
    drawn = drawn_in(z[:MOST])
    white = preprocessing("whitened", drawn).transform(drawn)
    fresh = [family(name).classifiers(seed)[0](white.shape[1]).estimator for name in attackers]
    return [cross_val_predict(one, white, v[:MOST], cv=folds, method=method) for one in fresh]


def _wide_scores(z: NDArray[np.float32], v: Ints, groups: Ints) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of the classes that occur, (n, k), by the attackers of a wide layer; none of a narrow one."""
    folds = _folds(v, groups, FOLDS_WIDE) if is_wide(z) else []
    if folds:
        yield from wide_attackers.scores(z, np.unique(v, return_inverse=True)[1], folds)


def _folds(v: Ints, groups: Ints, count: int) -> list[tuple[Ints, Ints]]:
    """Return folds of whole groups, each fitted on all classes; none where that cannot be."""
    classes = len(np.unique(v))
    if classes < 2 or len(np.unique(groups)) < count:
        return []
    folds = list(GroupKFold(count).split(v, v, groups))
    return folds if all(len(np.unique(v[fit])) == classes for fit, _ in folds) else []


def _balanced_accuracy(labels: Ints, predicted: Ints) -> float:
    """Return the mean recall over the classes that occur in `labels`."""
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro"))
