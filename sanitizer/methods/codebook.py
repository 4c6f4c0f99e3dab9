"""The task release: a finite code at the bottleneck, cut along the task, so that what leaves can be counted.

Of each row one word goes on, which says the class that the model predicts and, if asked, how sure it is in a few
levels. The best attacker of such a code is a table, which an audit bounds (audit.certificate): there is no head to
fool and none that lags. Training minimises what the predicted class itself tells of v beyond the task, I(ŷ; v | y):
the exact information of the hard prediction, by a running table, with the gradient of the soft one. The cells are
cut when training is over, so the task loses nothing to them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from audit.model.release import Code
from sanitizer.methods.base import Batch, Objective, Rows, Setting, Terms

KEPT = 0.95
"""Share of the running table that a step keeps: one batch is too few rows for all of its cells."""
TINY = 1e-6
LINEAR = 0.999
"""Share of the scores' variance that a linear map of z explains if what is behind the bottleneck is linear."""

CARD = MethodCard(
    description="lets nothing but a finite code, cut along the task's classes, pass the bottleneck",
    mark="o",
    light="#0b5394",
    dark="#7ab8f5",
)


@dataclass(frozen=True)
class Codebook:
    """Settings of the code."""

    weight: float = 0.5
    levels: int = 1
    """How finely each predicted class says how sure it is; 1 says the class alone. How sure a model is can tell v."""
    conditional: bool = True
    """Minimise I(ŷ; v | y), so that what the task itself tells may stay; else I(ŷ; v)."""

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
        """Return the task's loss, and what the prediction tells of each attribute."""
        soft = batch.scores.softmax(dim=1)
        hard = functional.one_hot(batch.scores.argmax(dim=1), soft.shape[1]).to(soft.dtype)
        said = soft + (hard - soft).detach()  # one-hot in value, soft in its gradient
        strata = batch.y if self._settings.conditional else torch.zeros_like(batch.y)
        told = {
            name: running_information(self.get_buffer(f"table{place}"), said, strata, batch.v[name])
            for name, place in self._places.items()
        }
        return Terms(functional.cross_entropy(batch.scores, batch.y), told)

    def finished(self, rows: Callable[[], Rows]) -> Code:
        """Cut the trained model's features along its predictions."""
        return cut(rows(), self._settings.levels)


def running_information(table: Tensor, said: Tensor, strata: Tensor, v: Tensor) -> Tensor:
    """Put a batch into a running table and return I(v; said | strata) of the table, as a share of log k.

    The gradient is that of the table's information by the batch's share in it, undiminished: the running table only
    makes it less noisy.

    Args:
        table: Joint of (stratum, v, said), (s, k, c); changed in place.
        said: Distribution of what is said of each row, (n, c).
        strata: Stratum of each row, (n,) int64.
        v: Private labels, (n,) int64.
    """
    s, k, _ = table.shape
    member = functional.one_hot(strata * k + v, s * k).to(said.dtype)  # (n, s k)
    new = (member.T @ said / len(v)).reshape(table.shape)
    with torch.no_grad():
        table.mul_(KEPT).add_(new, alpha=1 - KEPT)
        joint = (table / table.sum()).clamp_min(TINY**2)
        of_v, of_said = joint.sum(dim=2, keepdim=True), joint.sum(dim=1, keepdim=True)
        slope = (joint * joint.sum(dim=(1, 2), keepdim=True) / (of_v * of_said)).log()
        value = (joint * slope).sum()
    through = (new * slope).sum()
    return (through + (value - through).detach()) / math.log(k)


def cut(rows: Rows, levels: int) -> Code:
    """Return the code of a model's predictions: the predicted class, and the level of its score.

    The scores are taken as a linear map of the features. Where what is behind the bottleneck is not linear, the
    nearest thing is a logistic regression of the predicted class.

    Args:
        rows: Training rows as the model sees them.
        levels: Cells of each class, of equal numbers of these rows.
    """
    z, scores = (part.double().cpu().numpy() for part in (rows.before, rows.scores))
    said, d = scores.argmax(axis=1), z.shape[1]
    mean, spread = z.mean(axis=0), z.std(axis=0) + 1e-12
    white = (z - mean) / spread
    ridge = 1e-6 * len(z) * np.eye(d)
    target = scores - scores.mean(axis=1, keepdims=True)  # without what softmax does not see
    slope = np.linalg.solve(white.T @ white + ridge, white.T @ (target - target.mean(axis=0)))  # (d, k)
    rest = target - target.mean(axis=0) - white @ slope
    offset = target.mean(axis=0)
    if rest.var() > (1 - LINEAR) * target.var():
        found = LogisticRegression(max_iter=1000).fit(white, said)
        slope, offset = np.zeros_like(slope), np.full(len(offset), -np.inf)
        both = len(found.classes_) == 2
        slope[:, found.classes_] = np.concatenate([-found.coef_, found.coef_]).T / 2 if both else found.coef_.T
        offset[found.classes_] = np.array([-1, 1]) * found.intercept_[0] / 2 if both else found.intercept_
    own = (white @ slope + offset).argmax(axis=1)
    sure = np.take_along_axis(white @ slope + offset, own[:, None], axis=1)[:, 0]
    k = scores.shape[1]
    cuts, words = np.zeros((k, levels - 1)), np.zeros((k, levels, d))
    for label in range(k):
        inside = own == label
        if not inside.any():
            offset[label] = -np.inf  # a class that is never predicted has no word
            continue
        cuts[label] = np.quantile(sure[inside], np.arange(1, levels) / levels)
        level = np.searchsorted(cuts[label], sure[inside], side="left")
        for place in range(levels):
            here = level == place
            words[label, place] = (z[inside][here] if here.any() else z[inside]).mean(axis=0)
    weight = (slope / spread[:, None]).T
    bias = np.maximum(offset - weight @ mean, -1e30)
    parts = (weight, bias, cuts, words.reshape(k * levels, d))
    return Code(*(torch.as_tensor(part, dtype=torch.float32, device=rows.before.device) for part in parts))
