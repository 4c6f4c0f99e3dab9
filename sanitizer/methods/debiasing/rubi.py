"""RUBi: mask the model's scores by what the bias tells, so that it learns from the rows that the bias does not solve.

Cadene, Dancette, Ben-younes, Cord and Parikh, RUBi: Reducing Unimodal Biases in Visual Question Answering, NeurIPS
2019. The loss is CE(f · σ(q), y) + CE(c(q), y), where f are the model's scores, q those of a mask head on features of
the bias whose gradient is cut, and c a linear classifier. The model alone goes on: f, without a mask.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.methods.debiasing.bias_branch import FEATURES, Biased
from sanitizer.methods.heads import mlp

DESCRIPTION = "masks the model's scores in training by what the bias tells, so that it learns from the other rows"
CARD = MethodCard(description=DESCRIPTION, mark="p", light="#7d4e2d", dark="#dcae8a")


@dataclass(frozen=True)
class Rubi:
    """Settings of RUBi."""

    weight: float = 1.0
    """Of CE(c(q), y) beside CE(f · σ(q), y), in what trains the mask head; the model never sees it."""
    biased_lr: float = 1e-3
    """Of the biased branch, its mask head and its classifier; Adam."""

    def start(self, setting: Setting) -> "RubiObjective":
        """Make an untrained biased branch."""
        return RubiObjective(setting, self)


class RubiObjective(Optimized):
    """The biased branch: a network that learns the task from the bias, a mask head on its features, a classifier."""

    def __init__(self, setting: Setting, settings: Rubi) -> None:
        super().__init__()
        self.biased = Biased(setting)
        self.mask = mlp(FEATURES, setting.task_classes)
        self.classifier = nn.Linear(setting.task_classes, setting.task_classes)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=settings.biased_lr)
        self._settings = settings

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss of the masked scores; the mask is a constant to the model."""
        with torch.no_grad():
            q = self.mask(self.biased.features(batch))
        return Terms(functional.cross_entropy(batch.scores * q.sigmoid(), batch.y), {})

    def learn(self, batch: Batch) -> None:
        """Step the mask head on both losses, the classifier on its own, and the biased network on the task."""
        features = self.biased.features(batch)
        q = self.mask(features.detach())  # the features are the bias: the mask must not bend them
        masked = functional.cross_entropy(batch.scores * q.sigmoid(), batch.y)
        own = functional.cross_entropy(self.classifier(q), batch.y)
        bias = functional.cross_entropy(self.biased.classifier(features), batch.y)
        self.step(masked + self._settings.weight * own + bias)
