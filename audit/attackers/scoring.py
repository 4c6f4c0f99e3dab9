"""What one attacker made of some rows: the score it is compared by, and every figure in each bootstrap resample."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audit.bootstrap import Doubles, Resamples, estimate, estimate_share
from audit.data.columns import Ints
from audit.evidence.findings import Estimate


class Reading(Protocol):
    """An attacker's answers on some rows, held against the truth."""

    @property
    def score(self) -> float:
        """The metric on the rows as they are: balanced accuracy or R², higher for a stronger attacker."""

    @property
    def loss(self) -> float:
        """What an attacker's settings are chosen by on the selection split; lower is better."""

    def each(self, figure: str, resamples: Resamples) -> Doubles:
        """Return one figure, named as in audit.evidence.metric, in each resample; the rows as they are come first."""

    def estimate(self, figure: str, resamples: Resamples, each: Doubles | None = None) -> Estimate:
        """Return one figure with its 95 % interval, from `each` where that is known already."""
        return estimate(self.each(figure, resamples) if each is None else each)


@dataclass(frozen=True)
class Standing:
    """What one attacker is compared with others by: its answers on the selection split."""

    score: float
    """As of a Reading."""
    loss: float
    """As of a Reading."""


@dataclass(frozen=True)
class ClassReading(Reading):
    """Classes that an attacker named."""

    right: NDArray[np.bool_]
    """Whether it named the class, (n,)."""
    log2_posterior: Doubles
    """Of each class, (n, k), in bits."""
    labels: Ints
    """v, (n,)."""

    @property
    def k(self) -> int:
        """Number of classes."""
        return int(self.log2_posterior.shape[1])

    @property
    def score(self) -> float:
        """Balanced accuracy."""
        return float(np.mean([self.right[self.labels == c].mean() for c in range(self.k)]))

    @property
    def loss(self) -> float:
        """Cross-entropy, in bits."""
        return -float(self.true_log2.mean())

    @property
    def true_log2(self) -> Doubles:
        """Log-probability of the true class, (n,), in bits."""
        return self.log2_posterior[np.arange(len(self.labels)), self.labels]

    def each(self, figure: str, resamples: Resamples) -> Doubles:
        """Return `balanced_accuracy`, `auroc` or `bits`, H(v) − CE, in each resample."""
        if figure == "balanced_accuracy":
            return resamples.mean_recall(self.right, self.labels, self.k)
        if figure == "auroc":
            return resamples.auroc(self.log2_posterior, self.labels, self.k)
        shares = resamples.means(np.eye(self.k)[self.labels])  # (resamples, k)
        entropy = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
        return np.asarray(entropy + resamples.means(self.true_log2))

    def estimate(self, figure: str, resamples: Resamples, each: Doubles | None = None) -> Estimate:
        """Return one figure with its 95 % interval; that of the balanced accuracy is no narrower than Wilson's."""
        if figure != "balanced_accuracy":
            return super().estimate(figure, resamples, each)
        each = self.each(figure, resamples) if each is None else each
        return estimate_share(each, resamples.independent(self.labels, self.k))


@dataclass(frozen=True)
class QuantityReading(Reading):
    """Numbers that an attacker answered."""

    answer: Doubles
    """(n,), in the attribute's unit."""
    values: Doubles
    """v, (n,)."""

    @property
    def score(self) -> float:
        """R²."""
        spread = float(((self.values - self.values.mean()) ** 2).sum())
        return 1 - float(((self.values - self.answer) ** 2).sum() / max(spread, 1e-300))

    @property
    def loss(self) -> float:
        """−R²."""
        return -self.score

    def each(self, figure: str, resamples: Resamples) -> Doubles:
        """Return `r2` or `mae` in each resample."""
        if figure == "mae":
            return resamples.means(np.abs(self.answer - self.values))
        centred = self.values - self.values.mean()  # large numbers would cancel in the variance
        mean = resamples.means(centred)
        variance = resamples.means(centred**2) - mean**2
        error = resamples.means((self.values - self.answer) ** 2)
        return np.asarray(1 - np.divide(error, variance, out=np.full_like(error, np.nan), where=variance > 0))


@dataclass(frozen=True)
class GuessReading(Reading):
    """The answers of an attacker who knows nothing: the same figures in every resample."""

    metric: str
    guess: float
    """The metric of a guess; any other figure is 0."""

    @property
    def score(self) -> float:
        """The guess."""
        return self.guess

    @property
    def loss(self) -> float:
        """Nothing is chosen by a guess."""
        return 0.0

    def each(self, figure: str, resamples: Resamples) -> Doubles:
        """Return the guess, or 0, for each resample."""
        return np.full(len(resamples.weights), self.guess if figure == self.metric else 0.0)
