"""LearnedMixin+H: train the model in an ensemble with a biased one, so that it need not learn what that one knows.

Clark, Yatskar and Zettlemoyer, Don't Take the Easy Way Out: Ensemble Based Methods for Avoiding Known Dataset Biases,
EMNLP 2019. The loss is CE(log softmax(f) + g(z) · log p, y) + weight · H[softmax(g(z) · log p)], where f are the
model's scores, p is what a biased network predicts, trained first and then fixed, and g(z) = softplus(w · z + b) is
how far the ensemble trusts it, for each row; (w, b) is trained. The model alone goes on.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.methods.debiasing.bias_branch import Biased
from sanitizer.methods.heads import entropy, held_fixed

DESCRIPTION = "trains the model beside a network that reads the bias, so that it need not learn that itself"
CARD = MethodCard(description=DESCRIPTION, mark="h", light="#3d4fa8", dark="#a9b6f7")


@dataclass(frozen=True)
class LearnedMixin:
    """Settings of LearnedMixin."""

    weight: float = 0.03
    """Of the entropy of the scaled bias: without it the ensemble could learn to trust the bias nowhere."""
    pretraining: int = 5
    """Epochs that train the biased network alone, before the model's first step."""
    biased_lr: float = 1e-3
    """Of the biased network, and of (w, b); Adam."""

    def start(self, setting: Setting) -> "LearnedMixinObjective":
        """Make an untrained biased network."""
        return LearnedMixinObjective(setting, self)


class LearnedMixinObjective(Optimized):
    """The biased network and the trust in it."""

    def __init__(self, setting: Setting, settings: LearnedMixin) -> None:
        super().__init__()
        self.biased = Biased(setting)
        self.trust = nn.Linear(setting.width, 1)
        self.optimizer = torch.optim.Adam(self.biased.parameters(), lr=settings.biased_lr)
        for _ in range(settings.pretraining):
            for batch in setting.batches():
                self.step(functional.cross_entropy(self.biased(batch), batch.y))
        self.optimizer.zero_grad()
        self.biased.eval().requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.trust.parameters(), lr=settings.biased_lr)
        self._settings = settings

    def terms(self, batch: Batch) -> Terms:
        """Return the loss of the ensemble and the entropy of the scaled bias."""
        task, spread = self._ensemble(batch, held_fixed(self.trust, batch.z))
        return Terms(task, {}, self._settings.weight * spread)

    def learn(self, batch: Batch) -> None:
        """Step the trust on the same loss."""
        task, spread = self._ensemble(batch, self.trust(batch.z))
        self.step(task + self._settings.weight * spread)

    def _ensemble(self, batch: Batch, trust: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy of the ensemble and the entropy of the scaled bias, by logits of trust (n, 1)."""
        with torch.no_grad():
            bias = self.biased(batch).log_softmax(dim=1)
        scaled = functional.softplus(trust) * bias
        return functional.cross_entropy(batch.scores.log_softmax(dim=1) + scaled, batch.y), entropy(scaled)
