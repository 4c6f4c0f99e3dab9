"""ReBias: make the model's features independent of those of a network that is biased by its make.

Bahng, Chun, Yun, Choo and Oh, Learning De-biased Representations with Biased Representations, ICML 2020. The biased
network g and the model f take turns: g minimises CE(y) − weight · HSIC(f, g), f minimises CE(y) + weight · HSIC(f, g).
HSIC is the unbiased estimator of Song, Smola, Gretton, Bedo and Borgwardt, Feature Selection via Dependence
Maximization, JMLR 2012, with RBF kernels on the features: the bottleneck z, and g's own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from audit.errors import TrainingError, require_number
from audit.evidence.method_card import MethodCard
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.methods.debiasing.bias_branch import Biased

DESCRIPTION = "makes the features independent of those of a network that can read little but the bias"
CARD = MethodCard(description=DESCRIPTION, mark="d", light="#4c6b1f", dark="#b2d27f")


NARROWEST = 1e-6
"""Of the RBF kernels: of none, squares are divided by 0."""


@dataclass(frozen=True)
class ReBias:
    """Settings of ReBias."""

    weight: float = 1.0
    """Of HSIC, in the model's loss and in the biased network's."""
    sigma: float = 1.0
    """Of both RBF kernels, exp(−|a − b|² / 2σ²)."""
    biased_lr: float = 1e-3
    """Of the biased network; Adam."""

    def __post_init__(self) -> None:
        """Refuse kernels of no width."""
        require_number("sigma", self.sigma, NARROWEST, whole=False)

    def start(self, setting: Setting) -> "ReBiasObjective":
        """Make an untrained biased network."""
        return ReBiasObjective(setting, self)


class ReBiasObjective(Optimized):
    """The biased network, which seeks the model's features as the model flees its own."""

    def __init__(self, setting: Setting, settings: ReBias) -> None:
        super().__init__()
        self.biased = Biased(setting)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=settings.biased_lr)
        self._settings = settings

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss and the dependence of z on the biased features, which are a constant to the model."""
        with torch.no_grad():
            features = self.biased.features(batch)
        dependence = hsic(batch.z, features, sigma=self._settings.sigma)
        return Terms(functional.cross_entropy(batch.scores, batch.y), {}, self._settings.weight * dependence)

    def learn(self, batch: Batch) -> None:
        """Step the biased network on the task and towards the model's features."""
        features = self.biased.features(batch)
        task = functional.cross_entropy(self.biased.classifier(features), batch.y)
        dependence = hsic(batch.z, features, sigma=self._settings.sigma)
        self.step(task - self._settings.weight * dependence)


def hsic(a: Tensor, b: Tensor, *, sigma: float) -> Tensor:
    """Return the unbiased Hilbert–Schmidt independence criterion of paired rows: 0 on average if independent.

    a and b are features of the same rows, (n, d) and (n, e), and sigma is that of both RBF kernels.

    Raises:
        TrainingError: There are fewer than 4 rows, for which it is not defined.
    Source: eq. 5 of Song et al.
    """
    n = len(a)
    if n < 4:
        raise TrainingError(f"Unbiased HSIC needs batches of at least 4 rows, not {n}. Give a larger --batch-size.")
    k, m = _kernel(a, sigma), _kernel(b, sigma)
    paired = (k * m).sum()
    apart = k.sum() * m.sum() / ((n - 1) * (n - 2))
    across = 2 * (k.sum(dim=0) @ m.sum(dim=0)) / (n - 2)
    return ((paired + apart - across) / (n * (n - 3))).float()


def _kernel(features: Tensor, sigma: float) -> Tensor:
    """Return the RBF kernel with a diagonal of 0, (n, n), in float64: its sums cancel each other."""
    squared = torch.cdist(features.double(), features.double()).square()
    kernel = torch.exp(-squared / (2 * sigma**2))
    return kernel - kernel.diagonal().diag()
