"""Gradient reversal: the encoder maximises the loss of a training adversary that learns to predict v.

Ganin and Lempitsky, Unsupervised Domain Adaptation by Backpropagation, ICML 2015 (DANN), with the entropy term of
Kim, Kim, Kim, Kim and Kim, Learning Not to Learn: Training Deep Neural Networks with Biased Data, CVPR 2019. The head
minimises CE(H(z), v). The encoder minimises CE(y) − weight · λ · CE(H(z), v) − entropy · H[softmax(H(z))]: λ rises
from 0 to 1 over training, and the last term makes the head's prediction uncertain rather than reliably wrong.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import ANY_TASK, Batch, Setting, Terms
from sanitizer.methods.heads import Head, entropy, held_fixed, make_head
from sanitizer.methods.irene import Irene, IreneObjective

STEEPNESS = 10.0
"""Of DANN's schedule."""

DESCRIPTION = "lets the encoder climb the loss of a head that learns to read the attribute"
CARD = MethodCard(description=DESCRIPTION, mark="<", light="#8a1c3c", dark="#f597b2")


@dataclass(frozen=True)
class GradientReversal:
    """Settings of gradient reversal."""

    tasks: ClassVar = ANY_TASK
    weight: float = 0.1
    """Of the reversed gradient, where the schedule has reached 1; as in Learning Not to Learn."""
    entropy: float = 0.01
    """Weight of the entropy of the head's prediction; 0 is DANN."""
    head: Head = "mlp"
    inner_steps: int = 1
    """Steps of the head for each step of the encoder."""
    head_lr: float = 0.1
    """Constant, SGD with momentum .9."""

    def start(self, setting: Setting) -> "GradientReversalObjective":
        """Make an untrained head for each attribute."""
        heads = {name: make_head(self.head, setting.width, k) for name, k in setting.classes.items()}
        return GradientReversalObjective(heads, self)


class GradientReversalObjective(IreneObjective):
    """Heads that learn as IRENE's do; the encoder's loss differs."""

    def __init__(self, heads: dict[str, nn.Module], settings: GradientReversal) -> None:
        super().__init__(heads, Irene(inner_steps=settings.inner_steps, head_lr=settings.head_lr))
        self._entropy = settings.entropy

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss, the reversed loss of each head, and how certain the heads are; all held fixed."""
        climbed, certainty = {}, batch.z.new_zeros(())
        for name, place in self._places.items():
            logits = held_fixed(self.heads[place], batch.z)
            climbed[name] = -strength(batch.progress) * functional.cross_entropy(logits, batch.v[name])
            certainty = certainty - entropy(logits)
        return Terms(batch.task_loss, climbed, self._entropy * certainty)


def strength(progress: float) -> float:
    """Return λ after a share of the steps: 0 at the start, so that an untrained head does no harm; near 1 at the end.

    Source: DANN, section 5.2.2 of the JMLR version: 2 / (1 + exp(−10 p)) − 1.
    """
    return 2 / (1 + math.exp(-STEEPNESS * progress)) - 1
