"""EnD: pull rows of one bias apart, and rows of one task class but different biases together.

Tartaglione, Barbano and Grangetto, EnD: Entangling and Disentangling deep representations for bias correction, CVPR
2021. With G the cosines between the rows of a batch at the bottleneck, it minimises CE(y) + weight · (R⊥ + entangle ·
R∥): R⊥ is the mean |G| over pairs of one bias, R∥ the mean −G over pairs of one task class and different biases.
Nothing is trained beside the model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Batch, Objective, Setting, Terms

DESCRIPTION = "pulls rows of one private class apart, and rows of one task class together across private classes"
CARD = MethodCard(description=DESCRIPTION, mark=">", light="#1f6f78", dark="#7fd0da")


@dataclass(frozen=True)
class EnD:
    """Settings of EnD."""

    weight: float = 0.1
    """Of R⊥."""
    entangle: float = 1.0
    """Weight of R∥, as a multiple of that of R⊥."""

    def start(self, setting: Setting) -> "EnDObjective":
        """Begin; nothing is trained."""
        return EnDObjective(list(setting.classes), self)


class EnDObjective(Objective):
    """Its two terms have no state."""

    def __init__(self, attributes: list[str], settings: EnD) -> None:
        super().__init__()
        self._attributes, self._settings = attributes, settings

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss and R⊥ + entangle · R∥ of each attribute."""
        leakage = {}
        for name in self._attributes:
            v = batch.v[name]
            leakage[name] = disentangling(batch.z, v) + self._settings.entangle * entangling(batch.z, v, batch.y)
        return Terms(functional.cross_entropy(batch.scores, batch.y), leakage)


def disentangling(z: Tensor, v: Tensor) -> Tensor:
    """Return R⊥, the mean |cosine| of features (n, d) over pairs of rows of the same v, (n,) int64; 0 without pairs."""
    return _mean(_cosines(z).abs(), _equal(v))


def entangling(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    """Return R∥, the mean −cosine over pairs of rows of the same y and different v: −1 where they point one way."""
    return -_mean(_cosines(z), _equal(y) & ~_equal(v))


def _cosines(z: Tensor) -> Tensor:
    unit = functional.normalize(z)
    return unit @ unit.T  # (n, n)


def _equal(labels: Tensor) -> Tensor:
    return labels.unsqueeze(0) == labels.unsqueeze(1)  # (n, n)


def _mean(cosines: Tensor, pairs: Tensor) -> Tensor:
    pairs = torch.triu(pairs, diagonal=1)  # each pair once, no row with itself
    return (cosines * pairs).sum() / pairs.sum().clamp_min(1)
