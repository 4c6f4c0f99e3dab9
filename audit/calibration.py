"""Turn an attacker's raw scores into calibrated probabilities and class decisions, on the selection rows.

Over-confident attackers would report negative information, and under class imbalance the most likely
class is a poor guess; both are mended on rows that are never reported.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_curve

from audit.data import Ints
from audit.probes import Matrix

Doubles = NDArray[np.float64]
SMALLEST = 1e-12


@dataclass(frozen=True)
class Reading:
    """What one fitted attacker made of the test rows."""

    right: NDArray[np.bool_]
    """Whether it named the class, (n,)."""
    log2_probability: Doubles
    """Of the true class, (n,), in bits."""
    labels: Ints
    """v, (n,)."""
    select: float
    """Balanced accuracy on the selection rows."""

    def recalls(self, weights: Doubles, k: int) -> Doubles:
        """Return the balanced accuracy of each resample, (resamples,), from row weights (resamples, n)."""
        return mean_recall(self.right, self.labels, weights, k)

    def bits(self, weights: Doubles, k: int) -> Doubles:
        """Return H(v) − CE of each resample, (resamples,), from row weights (resamples, n)."""
        counts = weights @ np.eye(k)[self.labels]  # (resamples, k)
        shares = counts / counts.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
        return np.asarray(entropy + weights @ self.log2_probability / weights.sum(axis=1))


def mean_recall(right: NDArray[np.bool_], labels: Ints, weights: Doubles, k: int) -> Doubles:
    """Return the balanced accuracy of each resample, (resamples,): classes that it did not draw do not count.

    Args:
        right: Whether each row was named right, (n,).
        labels: Class of each row, (n,).
        weights: How often each row was drawn, (resamples, n).
        k: Number of classes.
    """
    of_class = np.eye(k)[labels]  # (n, k)
    total = weights @ of_class
    hits = weights @ (of_class * right[:, None])
    recalls = np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0)
    return np.asarray(np.nanmean(recalls, axis=1))


def read_attacker(estimator: Any, inputs: Sequence[Matrix], labels: Sequence[Ints], k: int) -> Reading:
    """Fit an attacker on train, calibrate it on select, and let it read test.

    Args:
        estimator: An untrained scikit-learn classifier.
        inputs: Features of the train, select and test rows, each (n, d).
        labels: v of the same rows, each (n,), in 0 … k − 1.
        k: Number of classes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an attacker that could be better is still an attacker
        estimator.fit(inputs[0], labels[0])
    prior = np.bincount(labels[0], minlength=k) / len(labels[0])
    select, test = (evidence(estimator, rows, prior) for rows in inputs[1:])
    temperature = fit_temperature(select, labels[1], prior)
    offset = fit_offset(select, labels[1], k)
    decided = (select + offset).argmax(axis=1)
    recalls = [(decided[labels[1] == c] == c).mean() for c in range(k)]
    return Reading(
        right=(test + offset).argmax(axis=1) == labels[2],
        log2_probability=_log2_posterior(test, temperature, prior)[np.arange(len(test)), labels[2]],
        labels=labels[2],
        select=float(np.mean(recalls)),
    )


def evidence(estimator: Any, inputs: Matrix, prior: Doubles) -> Doubles:
    """Return a score for each class, (n, k), in which the classes' frequencies play no part.

    Probabilities are divided by the class frequencies; decision values are taken as they are.
    """
    if "predict_proba" in dir(estimator):
        probabilities = np.asarray(estimator.predict_proba(inputs), dtype=np.float64)
        return np.log(np.maximum(probabilities, SMALLEST)) - np.log(prior)
    values = np.asarray(estimator.decision_function(inputs), dtype=np.float64)
    return np.stack([-values / 2, values / 2], axis=1) if values.ndim == 1 else values


def fit_temperature(scores: Doubles, labels: Ints, prior: Doubles) -> float:
    """Return the temperature at which `prior · exp(score / T)` predicts the labels best.

    A score that says nothing gets a temperature without bound, and the prediction becomes the prior.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return float(-_log2_posterior(scores, np.exp(log_temperature), prior)[rows, labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4.0, 8.0), method="bounded").x))


def fit_offset(scores: Doubles, labels: Ints, k: int) -> Doubles:
    """Return what to add to each class's score, (k,), before the highest is taken.

    With two classes: the threshold with the best balanced accuracy on these rows. With more, none: the
    scores are free of the classes' frequencies already.
    """
    if k != 2:
        return np.zeros(k)
    margin = scores[:, 1] - scores[:, 0]
    false_positive, true_positive, thresholds = roc_curve(labels, margin, drop_intermediate=False)
    best = int(np.argmax(true_positive - false_positive))
    if best == 0:
        return np.zeros(2)  # no threshold beats a guess
    following = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return np.array([0.0, -(thresholds[best] + following) / 2])


def _log2_posterior(scores: Doubles, temperature: float, prior: Doubles) -> Doubles:
    return np.asarray(log_softmax(scores / temperature + np.log(prior), axis=1) / np.log(2))
