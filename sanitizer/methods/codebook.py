"""Task-only release: quantise the bottleneck to one codeword per predicted class, so that its leakage can be bounded.

Each row is replaced by the codeword of its predicted class and, if asked for, of one of a few levels of confidence. The
best attacker on such a code is a table, which an audit bounds (audit.protocol.bound): there is no training adversary
that could be fooled or lag behind. Training minimises the leakage of the predicted class given the task's label,
I(ŷ; v | y): the exact information of the hard prediction, by a running table, with the gradient of the soft one. The
code is fitted after training, so the task loses nothing to it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import TrainingError
from audit.evidence.method_card import MethodCard
from audit.model.maps.affine_and_code import Code
from sanitizer.methods.base import OF_CLASSES, Batch, Objective, Rows, Setting, Terms

DECAY = 0.95
"""Decay of the running table at each step: one batch has too few rows for all of its cells."""
TINY = 1e-6
FEWEST = 10
"""Rows, or people where groups are given, whose mean a word is, at least: that of a single one would be theirs."""
MOST_STEPS = 10_000
LINEAR = 0.999
"""Share of the scores' variance that a linear map of z explains if the layers behind the bottleneck are linear."""

DESCRIPTION = "lets nothing but a finite code, cut along the task's classes, pass the bottleneck"
CARD = MethodCard(description=DESCRIPTION, mark="o", light="#0b5394", dark="#7ab8f5")


@dataclass(frozen=True)
class Codebook:
    """Settings of the code."""

    tasks: ClassVar = OF_CLASSES
    weight: float = 0.5
    levels: int = 1
    """Confidence levels per class; 1 releases the class only. Confidence itself can leak the private attribute."""
    conditional: bool = True
    """Minimise I(ŷ; v | y), which allows the leakage of the task's label itself; else I(ŷ; v)."""

    def start(self, setting: Setting) -> "CodebookObjective":
        """Begin with empty tables."""
        return CodebookObjective(setting.classes, setting.task_classes, self)


class CodebookObjective(Objective):
    """Running tables of (y, v, ŷ) for each private attribute."""

    def __init__(self, classes: Mapping[str, int], task_classes: int, settings: Codebook) -> None:
        super().__init__()
        self._places = {name: place for place, name in enumerate(classes)}
        self._settings = settings
        strata = task_classes if settings.conditional else 1
        for place, k in enumerate(classes.values()):
            self.register_buffer(f"table{place}", torch.full((strata, k, task_classes), TINY))

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss, and the information of the prediction about each attribute."""
        soft = batch.scores.softmax(dim=1)
        hard = functional.one_hot(batch.scores.argmax(dim=1), soft.shape[1]).to(soft.dtype)
        predicted = soft + (hard - soft).detach()  # one-hot in value, soft in its gradient
        strata = batch.y if self._settings.conditional else torch.zeros_like(batch.y)
        leakage = {
            name: running_information(self.get_buffer(f"table{place}"), predicted, strata, batch.v[name])
            for name, place in self._places.items()
        }
        return Terms(batch.task_loss, leakage)

    def finished(self, rows: Callable[[], Rows]) -> Code:
        """Return the code of the trained model's predictions."""
        return fit_code(rows(), self._settings.levels)


def running_information(table: Tensor, predicted: Tensor, strata: Tensor, v: Tensor) -> Tensor:
    """Put a batch into a running table and return I(v; predicted | strata) of the table, as a share of log k.

    The gradient is that of the table's information by the batch's share in it, undiminished: the running table only
    makes it less noisy. The table is the joint of (stratum, v, prediction), (s, k, c), and changed in place.
    Predictions are distributions over classes, (n, c), and strata and v labels, (n,) int64.
    """
    s, k, _ = table.shape
    member = functional.one_hot(strata * k + v, s * k).to(predicted.dtype)  # (n, s k)
    new = (member.T @ predicted / len(v)).reshape(table.shape)
    with torch.no_grad():
        table.mul_(DECAY).add_(new, alpha=1 - DECAY)
        joint = (table / table.sum()).clamp_min(TINY**2)
        of_v, of_prediction = joint.sum(dim=2, keepdim=True), joint.sum(dim=1, keepdim=True)
        slope = (joint * joint.sum(dim=(1, 2), keepdim=True) / (of_v * of_prediction)).log()
        value = (joint * slope).sum()
    through = (new * slope).sum()
    return (through + (value - through).detach()) / math.log(k)


def fit_code(rows: Rows, levels: int) -> Code:
    """Return the code of a model's predictions: the predicted class, and the level of its score.

    Each class has `levels` codewords, for equal numbers of rows, of which each counts once for its word. One of too few
    rows has the word of its whole class, and a class of too few rows that of the rows which are most like it.
    """
    found = classifier(rows)
    z, whose, is_first = rows.before.double().cpu().numpy(), rows.whose, np.zeros(len(rows.before), dtype=bool)
    is_first[rows.once] = True
    k, d = rows.scores.shape[1], z.shape[1]
    cuts, codewords = np.zeros((k, levels - 1)), np.zeros((k, levels, d))
    for label in range(k):
        inside = np.flatnonzero(found.own == label)
        if not len(inside):
            continue  # a class that is never predicted has no codeword
        sure = found.sure[inside]
        cuts[label] = np.quantile(sure, np.arange(1, levels) / levels)
        level = np.searchsorted(cuts[label], sure, side="left")
        for place in range(levels):
            here, once = inside[(level == place) & is_first[inside]], inside[is_first[inside]]
            codewords[label, place] = found.word(z, whose, here if has_many(z[here], whose[here]) else once, label)
    parts = (found.weight, found.bias, cuts, codewords.reshape(k * levels, d))
    return Code(*(torch.as_tensor(part, dtype=torch.float32, device=rows.before.device) for part in parts))


@dataclass(frozen=True)
class Classifier:
    """A linear map of the features to the task's scores, and what it says of the training rows."""

    weight: Doubles
    """(k, d)."""
    bias: Doubles
    """(k,); of a class that is never predicted, one that no row overcomes."""
    own: Ints
    """The class that it gives each row, (n,)."""
    sure: Doubles
    """That class's score, (n,)."""

    def word(self, z: Doubles, whose: Ints, inside: Ints, label: int) -> Doubles:
        """Return the mean of who are given a class, (d,), or, where they are few, of those most like them.

        These may be given another class: their mean is moved until it has the margin that the few have. Each step
        projects it onto the half-space in which the class beats its nearest rival (Agmon, 1954).
        """
        if has_many(z[inside], whose[inside]):
            return np.asarray(np.average(z[inside], axis=0, weights=once_each(whose[inside])))
        others = np.unique(z, axis=0, return_index=True)[1]
        others = others[np.argsort(-(z[others] @ self.weight[label]), kind="stable")]
        first = np.sort(np.unique(whose[others], return_index=True)[1])  # of each person, the row most like them
        word = z[others[first[:FEWEST]] if len(first) >= FEWEST else others].mean(axis=0)
        ahead, by = self.weight[label] - self.weight, self.bias[label] - self.bias  # (k, d), (k,)
        rivals = np.flatnonzero(np.square(ahead).sum(axis=1) > 0)
        margin = (z[inside] @ ahead[rivals].T + by[rivals]).min(axis=1).mean() if len(rivals) else 0.0
        for _ in range(MOST_STEPS if len(rivals) else 0):
            gap = ahead[rivals] @ word + by[rivals]
            nearest = ahead[rivals[gap.argmin()]]
            if gap.min() >= 0.9 * margin:
                break
            word += (margin - gap.min()) / np.square(nearest).sum() * nearest
        return np.asarray(word)


def has_many(z: Doubles, whose: Ints) -> bool:
    """Return whether rows (n, d) are of enough people, (n,) as of Rows.whose, and enough differ, for a mean of them."""
    return len(z) >= FEWEST and min(len(np.unique(whose)), len(np.unique(z, axis=0))) >= FEWEST


def once_each(whose: Ints) -> Doubles:
    """Return weights of rows, (n,), by which each person counts once, however many rows are theirs."""
    _, of, rows = np.unique(whose, return_inverse=True, return_counts=True)
    return np.asarray(1 / rows[of])


def classifier(rows: Rows) -> Classifier:
    """Return a linear map of the features to the scores.

    Where the layers behind the bottleneck are not linear, a logistic regression of the predicted class approximates
    them; a TrainingError if only one is predicted.
    """
    z, scores = (part.double().cpu().numpy() for part in (rows.before, rows.scores))
    predicted, d = scores.argmax(axis=1), z.shape[1]
    mean, spread = z.mean(axis=0), z.std(axis=0) + 1e-12
    standardised = (z - mean) / spread
    ridge = 1e-6 * len(z) * np.eye(d)
    target = scores - scores.mean(axis=1, keepdims=True)  # without what softmax does not see
    centred = target - target.mean(axis=0)
    slope = np.linalg.solve(standardised.T @ standardised + ridge, standardised.T @ centred)  # (d, k)
    rest = centred - standardised @ slope
    offset = target.mean(axis=0)
    if rest.var() > max((1 - LINEAR) * centred.var(), TINY**2 * target.var()):  # constant scores are linear
        if not np.ptp(predicted):
            raise TrainingError(
                f"The model answers one class of the task for all of {len(z)} rows, and the layers behind the "
                "bottleneck are not linear, so that no answers can be told apart from the features. Train a model "
                "that tells classes apart, or take a layer behind those, or the method leace."
            )
        found = LogisticRegression(max_iter=1000).fit(standardised, predicted)
        slope, offset = np.zeros_like(slope), np.full(len(offset), -np.inf)
        both = len(found.classes_) == 2
        slope[:, found.classes_] = np.concatenate([-found.coef_, found.coef_]).T / 2 if both else found.coef_.T
        offset[found.classes_] = np.array([-1, 1]) * found.intercept_[0] / 2 if both else found.intercept_
    own = (standardised @ slope + offset).argmax(axis=1)
    sure = np.take_along_axis(standardised @ slope + offset, own[:, None], axis=1)[:, 0]
    offset[np.bincount(own, minlength=len(offset)) == 0] = -np.inf
    weight = (slope / spread[:, None]).T
    return Classifier(weight, np.maximum(offset - weight @ mean, -1e30), own, sure)
