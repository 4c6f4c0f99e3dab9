"""Learning from Failure: weigh each row by how much harder it is for a biased network than for the model.

Nam, Cha, Ahn, Lee and Shin, Learning from Failure: Training Debiased Classifier from Biased Classifier, NeurIPS 2020.
The biased network minimises the generalised cross-entropy (1 − p^q) / q, which follows the easy rows. The model
minimises CE(y), each row weighted by l_b / (l_b + l_m), the cross-entropies of the biased network and of the model:
moving averages of each row's, as shares of the largest in its task class.

In the paper both networks are of one make. A method sees no second copy of the model, so the biased network is the
branch of `bias_branch.py` here: on images it has less capacity than the model, elsewhere its input is v.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from audit.errors import IreneError, is_share
from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.methods.debiasing.bias_branch import Biased

TINY = 1e-8

DESCRIPTION = "gives more weight to rows that are harder for a biased network than for the model"
CARD = MethodCard(description=DESCRIPTION, mark="8", light="#93306f", dark="#ee9dcf")


@dataclass(frozen=True)
class LfF:
    """Settings of Learning from Failure."""

    weight: float = 1.0
    """How far the rows' weights are followed: 1 is the paper's, 0 weighs all rows alike."""
    q: float = 0.7
    """Of the generalised cross-entropy: near 0 it is the cross-entropy, at 1 the mean absolute error."""
    momentum: float = 0.7
    """Share of the old value in each row's moving average of losses."""
    biased_lr: float = 1e-3
    """Of the biased network; Adam."""

    def __post_init__(self) -> None:
        """Refuse a loss that is divided by 0, and an average that never moves."""
        if not is_share(self.q) or not self.q:
            raise IreneError(f"q is {self.q!r}. Give a share above 0 and up to 1, such as 0.7.")
        if not is_share(self.momentum) or self.momentum == 1:
            raise IreneError(f"momentum is {self.momentum!r}. Give a share below 1, such as 0.7.")

    def start(self, setting: Setting) -> "LfFObjective":
        """Make an untrained biased network."""
        return LfFObjective(setting, self)


class LfFObjective(Optimized):
    """The biased network, and the losses of every training row."""

    losses: Tensor
    labels: Tensor

    def __init__(self, setting: Setting, settings: LfF) -> None:
        super().__init__()
        self.biased = Biased(setting)
        self.register_buffer("losses", torch.zeros(2, setting.train_rows))
        """Moving averages of the cross-entropy of the biased network and of the model, (2, train rows)."""
        self.register_buffer("labels", torch.full((setting.train_rows,), -1))
        """Task labels of the rows, −1 for those not seen yet."""
        self.optimizer = torch.optim.Adam(self.parameters(), lr=settings.biased_lr)
        self._classes, self._settings = setting.task_classes, settings

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss with the rows weighted."""
        each = functional.cross_entropy(batch.scores, batch.y, reduction="none")  # (n,)
        with torch.no_grad():
            weights = self._weights(batch, self._followed(batch, self.biased(batch), each))
        weights = 1 + self._settings.weight * (weights - 1)
        return Terms((weights * each).mean(), {})

    def learn(self, batch: Batch) -> None:
        """Step the biased network on what it finds easy, and keep the rows' losses."""
        scores = self.biased(batch)
        with torch.no_grad():
            each = functional.cross_entropy(batch.scores, batch.y, reduction="none")
            self.losses[:, batch.rows] = self._followed(batch, scores, each)
            self.labels[batch.rows] = batch.y
        self.step(generalised_cross_entropy(scores, batch.y, q=self._settings.q))

    def _followed(self, batch: Batch, biased: Tensor, model: Tensor) -> Tensor:
        """Return the moving averages of the batch's rows, (2, n), by scores (n, k) and cross-entropies (n,)."""
        now = torch.stack([functional.cross_entropy(biased, batch.y, reduction="none"), model])
        momentum = self._settings.momentum * (self.labels[batch.rows] >= 0)  # none at first sight
        return momentum * self.losses[:, batch.rows] + (1 - momentum) * now

    def _weights(self, batch: Batch, followed: Tensor) -> Tensor:
        """Return l_b / (l_b + l_m) of the batch's rows, (n,)."""
        losses, labels = self.losses.clone(), self.labels.clone()
        losses[:, batch.rows], labels[batch.rows] = followed, batch.y
        known = labels >= 0
        largest = losses.new_zeros(2, self._classes)
        largest.scatter_reduce_(1, labels[known].expand(2, -1), losses[:, known], "amax")
        share = followed / largest[:, batch.y].clamp_min(TINY)  # (2, n)
        return share[0] / share.sum(dim=0).clamp_min(TINY)


def generalised_cross_entropy(scores: Tensor, y: Tensor, *, q: float) -> Tensor:
    """Return the mean of (1 − p^q) / q over rows, p the probability of the label: its gradient is p^q · CE's.

    Scores are (n, k), labels (n,) int64, and q is in (0, 1].
    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss, NeurIPS 2018.
    """
    likelihood = -functional.cross_entropy(scores, y, reduction="none")
    return ((1 - torch.exp(q * likelihood)) / q).mean()
