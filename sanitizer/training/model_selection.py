"""What chooses an epoch: a quick audit by fresh attackers on rows held out from training, whole groups each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, cross_val_predict
from torch import Tensor

from audit.attackers.families import family, preprocessing
from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from sanitizer.methods.base import Rows

HELD_OUT = 0.15
"""Share of the training groups that only choose the epoch and check the head."""
ATTACKERS = ("logistic", "rbf-svm")
"""Fast, and one of them sees what no line does."""
FOLDS = 3
MOST = 1500
"""Rows that the quick attackers see at most."""


@dataclass(frozen=True)
class Checked:
    """A model on held-out rows."""

    task: float
    """Balanced accuracy of the task."""
    fresh: Mapping[str, float]
    """Per attribute: balanced accuracy of the strongest quick attacker."""
    rows: Mapping[str, float]
    """How many rows of equal classes would tell each as surely; the task's under the name ""."""
    kept: Mapping[str, float] = field(default_factory=dict)
    """Per attribute to keep: AUROC of a linear probe."""

    def better_than(self, other: "Checked") -> bool:
        """Return whether the task is better, or as good with less leak or more kept, beyond their noise."""
        task = self.task - other.task
        if abs(task) > self._noise("", other.task):
            return task > 0
        names = [name for name in self.fresh if name in other.fresh]
        less = {name: other.fresh[name] - self.fresh[name] for name in names}
        gain = sum(one for name, one in less.items() if abs(one) > self._noise(name, other.fresh[name]))
        return gain + self._more_kept(other) > 0

    def _more_kept(self, other: "Checked") -> float:
        """Return by how much the mean AUROC of what is kept is larger, 0 within its noise."""
        names = [name for name in self.kept if name in other.kept]
        if not names:
            return 0.0
        more = float(np.mean([self.kept[name] - other.kept[name] for name in names]))
        noise = np.sqrt(sum(1 / (3 * self.rows[name]) for name in names)) / len(names)  # of areas near one half
        return more if abs(more) > noise else 0.0

    def _noise(self, name: str, recall: float) -> float:
        return float(np.sqrt(max(recall * (1 - recall), 1e-4) / self.rows[name]))


def hold_out(data: LabelledData, seed: int) -> tuple[LabelledData, LabelledData]:
    """Return the rows that train and the rows that choose, whole groups each."""
    folder = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=seed)
    fit, held_out = next(folder.split(np.arange(len(data)), groups=data.groups()))
    return data.take(fit), data.take(held_out)


def check(
    seen: Rows, data: LabelledData, private: Sequence[str], keep: Sequence[str] = (), *, seed: int, worth: float = 1.0
) -> Checked:
    """Read the task and each attribute from what a model makes of the held-out rows.

    Args:
        seen: What it makes of them.
        data: The rows.
        private: Columns to remove.
        keep: Columns to keep.
        seed: Of the rows that are read, and of the attackers.
        worth: How many independent rows tell as surely, as a share of these.
    """
    y = seen.y.cpu().numpy()
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST]
    z, groups = seen.z.cpu().numpy()[rows], data.groups()[rows]
    labels = {name: seen.v[name].cpu().numpy()[rows] for name in (*private, *keep)}
    return Checked(
        task=_recall(y, seen.scores.argmax(dim=1).cpu().numpy()),
        fresh={name: _read(z, labels[name], groups, seed) for name in private},
        rows={name: worth * _worth(v) for name, v in {"": y, **labels}.items()},
        kept={name: area for name in keep if (area := _area(z, labels[name], groups, seed)) is not None},
    )


def head_accuracy(scores: Tensor | None, v: Tensor) -> float | None:
    """Return the balanced accuracy of a method's own head, or None where it has none."""
    return None if scores is None else _recall(v.cpu().numpy(), scores.argmax(dim=1).cpu().numpy())


def _read(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float:
    """Return what the strongest of the quick attackers reads, each row by attackers that did not see its group."""
    folds = _folds(v, groups)
    if not folds:
        return 1 / max(1, len(np.unique(v)))
    white = preprocessing("whitened", z).transform(z)
    said = (
        cross_val_predict(family(name).classifiers(seed)[0](white.shape[1]), white, v, cv=folds) for name in ATTACKERS
    )
    return max(_recall(v, one) for one in said)


def _area(z: NDArray[np.float32], v: Ints, groups: Ints, seed: int) -> float | None:
    """Return a linear probe's AUROC, the mean over classes against the rest; None if there are too few rows for it."""
    folds = _folds(v, groups)
    if not folds:
        return None
    white = preprocessing("whitened", z).transform(z)
    probe = family("logistic").classifiers(seed)[0](white.shape[1])
    shares = cross_val_predict(probe, white, v, cv=folds, method="predict_proba")
    return float(roc_auc_score(v[:, None] == np.unique(v), shares, average="macro"))


def _folds(v: Ints, groups: Ints) -> list[tuple[Ints, Ints]]:
    """Return folds of whole groups, each fitted on all classes; none where that cannot be."""
    classes = len(np.unique(v))
    if classes < 2 or len(np.unique(groups)) < FOLDS:
        return []
    folds = list(GroupKFold(FOLDS).split(v, v, groups))
    return folds if all(len(np.unique(v[fit])) == classes for fit, _ in folds) else []


def _recall(labels: Ints, said: Ints) -> float:
    """Return the mean over the classes that are there of the share that is named right."""
    return float(np.mean([(said[labels == c] == c).mean() for c in np.unique(labels)]))


def _worth(labels: Ints) -> float:
    """Return how many rows of equal classes tell a mean recall as surely: a rare class tells less than its rows."""
    counts = np.unique(labels, return_counts=True)[1]
    return float(len(counts) ** 2 / (1 / counts).sum())
