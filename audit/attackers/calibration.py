"""Calibrate an attacker on the selection split: probabilities by temperature, class decisions by a threshold.

Over-confident attackers would report negative information, and under class imbalance the most likely
class is a poor guess; both are corrected on rows that are never reported.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles
from audit.data.columns import Ints

LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """How raw scores are to be read, as fitted on the selection rows."""

    temperature: float
    offset: Doubles
    """Added to each class's score before the highest is taken, (k,)."""
    prior: Doubles
    """Frequencies of the classes among the attackers' training rows, (k,)."""

    def log_odds(self, scores: Doubles) -> Doubles:
        """Return the log-likelihood of each class up to a constant, (n, k), in nats."""
        return np.asarray(log_softmax(scores / self.temperature, axis=1))

    def log2_posterior(self, scores: Doubles) -> Doubles:
        """Return the log-probability of each class, (n, k), in bits."""
        return _log2_posterior(scores, self.temperature, self.prior)

    def decide(self, scores: Doubles) -> Ints:
        """Return the class that is named for each row, (n,)."""
        return np.asarray((scores + self.offset).argmax(axis=1), dtype=np.int64)

    def moved(self, fitted: Doubles, labels: Ints, again: Doubles, prior: Doubles) -> "Calibration":
        """Return the calibration with its threshold moved to the scores of an attacker that was fitted again.

        Such scores may lie a little higher or lower as a whole, which matters where they are close together.
        The threshold goes where it cuts off the share of other rows that it would cut off of the selection rows, were
        classes as frequent among these; of the other rows no label is looked at.

        Args:
            fitted: Scores of the selection rows, (n, k), before.
            labels: Their classes, (n,).
            again: Scores of other rows, (m, k), by the attacker fitted again.
            prior: Frequencies of the classes among these, (k,).
        """
        if len(self.prior) != 2:
            return self
        named = self.decide(fitted) == 1
        share = float(sum(prior[c] * named[labels == c].mean() for c in range(2)))
        margin = np.sort(again[:, 1] - again[:, 0])[::-1]
        cuts = np.flatnonzero(margin[:-1] != margin[1:]) + 1  # between equal scores there is no threshold
        if not len(cuts):
            return self
        above = cuts[np.argmin(np.abs(cuts - share * len(margin)))]
        return replace(self, offset=np.array([0.0, -(margin[above - 1] + margin[above]) / 2]))


def calibrate(scores: Doubles, labels: Ints, prior: Doubles) -> Calibration:
    """Fit temperature and threshold on the selection rows: scores (n, k), labels (n,)."""
    return Calibration(fit_temperature(scores, labels, prior), fit_offset(scores, labels, len(prior)), prior)


def read(scores: Doubles, labels: Ints, calibration: Calibration) -> ClassReading:
    """Let calibrated scores, (n, k), name the classes of rows that they were not fitted on."""
    return ClassReading(calibration.decide(scores) == labels, calibration.log2_posterior(scores), labels)


def fit_temperature(scores: Doubles, labels: Ints, prior: Doubles) -> float:
    """Return the temperature at which `prior · exp(score / T)` predicts the labels best.

    A score that says nothing gets a temperature without bound, and the prediction becomes the prior. One that is right
    on all n rows would be taken to be sure beyond measure: so each counts as if one in n + 2 were of another class, by
    the rule of succession (Platt, 1999, smooths likewise, each class by its own rows).
    """
    wanted = _smoothed(labels, prior)

    def loss(log_temperature: float) -> float:
        return -float((wanted * _log2_posterior(scores, np.exp(log_temperature), prior)).sum(axis=1).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4.0, 8.0), method="bounded").x))


def _smoothed(labels: Ints, prior: Doubles) -> Doubles:
    """Return the chance of each class that a prediction is held against, (n, k)."""
    k, doubt = len(prior), 1 / (len(labels) + 2)
    others = np.tile(prior, (k, 1)) * (1 - np.eye(k))
    shares = np.eye(k) * (1 - doubt) + doubt * others / others.sum(axis=1, keepdims=True)
    return np.asarray(shares[labels])


def fit_offset(scores: Doubles, labels: Ints, k: int) -> Doubles:
    """Return what to add to each class's score, (k,), before the highest is taken.

    With two classes: the threshold at which a logistic curve through these rows (Platt, 1999), with the classes
    weighted alike, says that both are as likely; it wavers less than the best threshold on the rows themselves.
    With more, none: the scores are free of the classes' frequencies already.
    """
    if k != 2:
        return np.zeros(k)
    margin = scores[:, 1] - scores[:, 0]
    unit = float(margin.std())
    if unit == 0:
        return np.zeros(2)
    curve = LogisticRegression(C=1e6, class_weight="balanced").fit((margin / unit).reshape(-1, 1), labels)
    slope, height = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope < LEAST_SLOPE:
        return np.zeros(2)  # higher scores do not mean the second class here: no threshold beats a guess
    return np.array([0.0, unit * height / slope])


def _log2_posterior(scores: Doubles, temperature: float, prior: Doubles) -> Doubles:
    return np.asarray(log_softmax(scores / temperature + np.log(prior), axis=1) / np.log(2))
